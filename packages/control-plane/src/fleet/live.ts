import { defaults } from "@siding/shared/defaults";
import type { Address, Digest, HostId, Incarnation } from "@siding/shared/ids";
import type { LoadSample } from "@siding/shared/report";
import type { Blindness, ConflictView, LivenessView } from "../rollout/snapshot.ts";

/** What the beats of one host say. In memory only: heartbeats are no events. Instants on the ledger's clock. */
export interface BeatRecord {
  readonly lastBeatMs: number;
  readonly intervalMs: number;
  readonly incarnation: Incarnation;
  /** Null where the agent is too old to say it. */
  readonly address: Address | null;
  readonly stateDigest: Digest;
  readonly load: LoadSample;
  /** The one that this one replaced. */
  readonly previous: ConflictView["agents"][number] | null;
  /** Since when no other was heard under this id. */
  readonly aloneSinceMs: number;
  /** How often in a row a replaced incarnation came back, when first and when last: two that alternate are two agents. */
  readonly returns: { readonly count: number; readonly firstMs: number; readonly lastMs: number };
  /** Its newest silence that a beat has ended; null where it was never silent. */
  readonly silence: { readonly fromMs: number; readonly toMs: number } | null;
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
  const beat = live.beats.get(hostId);
  const intervalMs = beat?.intervalMs ?? defaults.beatIntervalMs;
  const heardMs = Math.max(beat?.lastBeatMs ?? 0, connectedSinceMs ?? 0);
  const lostMs = heardMs + lostAfterMs(intervalMs);
  const heard = { heardMs, lostMs, givenUpMs: lostMs + intervalMs };
  if (connectedSinceMs === null) return { kind: "unknown", ...heard };
  if (nowMs > lostMs) return { kind: "silent", ...heard };
  const hasBeaten = beat !== undefined && beat.lastBeatMs >= connectedSinceMs;
  return { kind: hasBeaten ? "alive" : "unknown", ...heard };
}

/** The instant at which the host falls silent if nothing more is heard of it; null where it is so already. */
export function silentAtMs(live: LiveFleet, hostId: HostId, nowMs: number): number | null {
  const { kind, lostMs } = livenessOf(live, hostId, nowMs);
  return live.connectedSinceMs === null || kind === "silent" ? null : lostMs + 1;
}

/** Until when {@link livenessOf} and {@link hasConflict} say the same of a host if nothing more is heard of it. */
export function holdsUntilMs(live: LiveFleet, hostId: HostId, nowMs: number): number {
  const { kind, lostMs } = livenessOf(live, hostId, nowMs);
  const silentAfterMs =
    live.connectedSinceMs === null || kind === "silent" ? Number.POSITIVE_INFINITY : lostMs;
  const beat = live.beats.get(hostId);
  if (!beat || !hasConflict(live, hostId, nowMs)) return silentAfterMs;
  return Math.min(silentAfterMs, beat.returns.lastMs + lostAfterMs(beat.intervalMs));
}

/** One late beat of an agent that ended makes two returns (its own, and that of its successor); more are a clone. */
const returnsOfALateBeat = 2;

/** Two incarnations of one identity that both go on beating: not the late beat of one that ended. */
export function hasConflict(live: LiveFleet, hostId: HostId, nowMs: number): boolean {
  const beat = live.beats.get(hostId);
  if (!beat || beat.returns.count <= returnsOfALateBeat) return false;
  return nowMs - beat.returns.lastMs <= lostAfterMs(beat.intervalMs);
}

const beatsOfTheOther = 2;

/** From then on whoever was heard under this id before would have been heard again. */
export function soleFromMs(live: LiveFleet, hostId: HostId): number {
  const beat = live.beats.get(hostId);
  return beat ? beat.aloneSinceMs + beatsOfTheOther * beat.intervalMs : 0;
}

/** Who they are, in an order that does not depend on who beat last; null where {@link hasConflict} says no. */
export function conflictOf(live: LiveFleet, hostId: HostId, nowMs: number): ConflictView | null {
  const beat = live.beats.get(hostId);
  if (!beat?.previous || !hasConflict(live, hostId, nowMs)) return null;
  const { incarnation, address, previous, returns } = beat;
  const agents = [{ incarnation, address }, previous].sort((left, right) =>
    left.incarnation < right.incarnation ? -1 : 1,
  );
  return { sinceMs: returns.firstMs, agents };
}

const blindShare = 0.3;
const blindLeast = 3;

/** Whether we hear the fleet. */
export interface Hearing {
  readonly blind: Blindness | null;
  /** Since when: whatever was to be said before, we could not have heard. */
  readonly sinceMs: number;
  /** When blindness may be over without anybody saying anything more; null where it is not. */
  readonly untilMs: number | null;
}

/**
 * Over 30 % and at least three agents silent together, or only just back from that: then it is we who are blind. Who were
 * cut off together beat again within one interval of each other, and say meanwhile what they did.
 */
export function hearingOf(live: LiveFleet, hostIds: readonly HostId[], nowMs: number): Hearing {
  const { connectedSinceMs } = live;
  if (connectedSinceMs === null) return { blind: "disconnected", sinceMs: nowMs, untilMs: null };
  const crowd = Math.max(blindLeast, Math.floor(hostIds.length * blindShare) + 1);
  const silent = hostIds.filter((hostId) => livenessOf(live, hostId, nowMs).kind === "silent").length;
  const returns = hostIds.flatMap((hostId) => returnOf(live, connectedSinceMs, hostId) ?? []);
  const fresh = returns.filter(({ toMs, intervalMs }) => nowMs - toMs <= intervalMs);
  const isBlind = silent + fresh.length >= crowd;
  const freshUntilMs = fresh.map(({ toMs, intervalMs }) => toMs + intervalMs + 1);
  return {
    blind: isBlind ? "crowd-silent" : null,
    sinceMs: newestTogether(returns, crowd - silent) ?? connectedSinceMs,
    untilMs: isBlind && fresh.length > 0 ? Math.min(...freshUntilMs) : null,
  };
}

/** The end of a host's newest silence. */
interface Return {
  readonly toMs: number;
  readonly intervalMs: number;
}

/** The newest return that, with others shortly before it, makes a crowd; null where there was none. */
function newestTogether(returns: readonly Return[], crowd: number): number | null {
  const inOrder = Float64Array.from(returns, ({ toMs }) => toMs).sort();
  const withinMs = returns.reduce((longest, { intervalMs }) => Math.max(longest, intervalMs), 0);
  for (let last = inOrder.length - 1; last >= 0; last -= 1) {
    const toMs = inOrder[last] ?? 0;
    const first = inOrder[Math.max(0, last - Math.max(crowd, 1) + 1)] ?? 0;
    if (last + 1 >= crowd && toMs - first <= withinMs) return toMs;
  }
  return null;
}

/** Null unless the host fell silent while we were connected. */
function returnOf(live: LiveFleet, connectedSinceMs: number, hostId: HostId): Return | null {
  const beat = live.beats.get(hostId);
  if (!beat?.silence) return null;
  const { intervalMs } = beat;
  const { fromMs, toMs } = beat.silence;
  return toMs - Math.max(fromMs, connectedSinceMs) > lostAfterMs(intervalMs) ? { toMs, intervalMs } : null;
}

/** A beat arrives: what is known of its host from now on. */
export function withBeat(
  before: BeatRecord | undefined,
  sound: Omit<BeatRecord, "previous" | "aloneSinceMs" | "returns" | "trouble" | "silence">,
): BeatRecord {
  const { lastBeatMs, incarnation } = sound;
  const aloneSinceMs = before?.incarnation === incarnation ? before.aloneSinceMs : lastBeatMs;
  const beat = { ...sound, aloneSinceMs, trouble: null, silence: silenceEnded(before, lastBeatMs) };
  const none = { count: 0, firstMs: beat.lastBeatMs, lastMs: beat.lastBeatMs };
  if (!before) return { ...beat, previous: null, returns: none };
  const recent = beat.lastBeatMs - before.returns.lastMs <= lostAfterMs(beat.intervalMs);
  const returns = recent ? before.returns : none;
  if (before.incarnation === beat.incarnation) return { ...beat, previous: before.previous, returns };
  const previous = { incarnation: before.incarnation, address: before.address };
  if (before.previous?.incarnation !== beat.incarnation) return { ...beat, previous, returns: none };
  const firstMs = returns.count === 0 ? beat.lastBeatMs : returns.firstMs;
  return { ...beat, previous, returns: { count: returns.count + 1, firstMs, lastMs: beat.lastBeatMs } };
}

function silenceEnded(before: BeatRecord | undefined, toMs: number): BeatRecord["silence"] {
  if (!before) return null;
  const isReturn = toMs - before.lastBeatMs > lostAfterMs(before.intervalMs);
  return isReturn ? { fromMs: before.lastBeatMs, toMs } : before.silence;
}
