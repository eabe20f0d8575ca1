import { defaults } from "@siding/shared/defaults";
import type { Digest, HostId, Incarnation } from "@siding/shared/ids";
import type { LoadSample } from "@siding/shared/report";
import type { LivenessView } from "../rollout/snapshot.ts";

/** What the beats of one host say. In memory only: heartbeats are no events. Instants on the ledger's clock. */
export interface BeatRecord {
  readonly lastBeatMs: number;
  readonly intervalMs: number;
  readonly incarnation: Incarnation;
  readonly stateDigest: Digest;
  readonly load: LoadSample;
  /** The incarnation that this one replaced. */
  readonly previous: Incarnation | null;
  /** How often in a row a replaced incarnation came back, and when last: two that alternate are two agents. */
  readonly returns: { readonly count: number; readonly lastMs: number };
  /** Wall clock of the newest beat, for people. */
  readonly lastSeenAt: string;
  /** What the agent has said since: that it can do nothing, and why. */
  readonly trouble: string | null;
}

/** The living side of the fleet at one instant, as far as this process has heard. */
export interface LiveFleet {
  /** Ledger clock of our own connection to NATS; null while there is none. */
  readonly connectedSinceMs: number | null;
  readonly beats: ReadonlyMap<HostId, BeatRecord>;
}

/** An agent falls silent after this many intervals without a beat. */
function lostAfterMs(intervalMs: number): number {
  return intervalMs * defaults.lostAfterBeats;
}

/**
 * Unknown until a beat has come, or three intervals after our own connection; while we are not connected, nobody's
 * silence means anything.
 */
export function livenessOf(live: LiveFleet, hostId: HostId, nowMs: number): LivenessView {
  const { connectedSinceMs } = live;
  if (connectedSinceMs === null) return { kind: "unknown", sinceMs: live.beats.get(hostId)?.lastBeatMs ?? 0 };
  const beat = live.beats.get(hostId);
  const intervalMs = beat?.intervalMs ?? defaults.beatIntervalMs;
  const heardMs = Math.max(beat?.lastBeatMs ?? 0, connectedSinceMs);
  if (beat && beat.lastBeatMs >= connectedSinceMs && nowMs - beat.lastBeatMs <= lostAfterMs(intervalMs)) {
    return { kind: "alive" };
  }
  return nowMs - heardMs <= lostAfterMs(intervalMs)
    ? { kind: "unknown", sinceMs: connectedSinceMs }
    : { kind: "silent", sinceMs: heardMs };
}

/** The instant at which the host falls silent if nothing more is heard of it; null where it is so already. */
export function silentAtMs(live: LiveFleet, hostId: HostId, nowMs: number): number | null {
  if (live.connectedSinceMs === null || livenessOf(live, hostId, nowMs).kind === "silent") return null;
  const beat = live.beats.get(hostId);
  const heardMs = Math.max(beat?.lastBeatMs ?? 0, live.connectedSinceMs);
  return heardMs + lostAfterMs(beat?.intervalMs ?? defaults.beatIntervalMs) + 1;
}

/** One late beat of an agent that ended makes two returns (its own, and that of its successor); more are a clone. */
const returnsOfALateBeat = 2;

/** Two incarnations of one identity that both go on beating: not the late beat of one that ended. */
export function hasConflict(live: LiveFleet, hostId: HostId, nowMs: number): boolean {
  const beat = live.beats.get(hostId);
  if (!beat || beat.returns.count <= returnsOfALateBeat) return false;
  return nowMs - beat.returns.lastMs <= lostAfterMs(beat.intervalMs);
}

/** Over 30 % and at least three agents silent together: then it is we who are blind. */
const blindShare = 0.3;
const blindLeast = 3;

export function isBlind(live: LiveFleet, hostIds: readonly HostId[], nowMs: number): boolean {
  const silent = hostIds.filter((hostId) => livenessOf(live, hostId, nowMs).kind === "silent");
  return silent.length >= blindLeast && silent.length > hostIds.length * blindShare;
}

/** A beat arrives: what is known of its host from now on. */
export function withBeat(
  before: BeatRecord | undefined,
  sound: Omit<BeatRecord, "previous" | "returns" | "trouble">,
): BeatRecord {
  const beat = { ...sound, trouble: null };
  const none = { count: 0, lastMs: beat.lastBeatMs };
  if (!before) return { ...beat, previous: null, returns: none };
  const recent = beat.lastBeatMs - before.returns.lastMs <= lostAfterMs(beat.intervalMs);
  const returns = recent ? before.returns : none;
  if (before.incarnation === beat.incarnation) return { ...beat, previous: before.previous, returns };
  if (before.previous !== beat.incarnation) return { ...beat, previous: before.incarnation, returns: none };
  return {
    ...beat,
    previous: before.incarnation,
    returns: { count: returns.count + 1, lastMs: beat.lastBeatMs },
  };
}
