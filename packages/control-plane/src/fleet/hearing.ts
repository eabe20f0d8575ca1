import type { HostId } from "@siding/shared/ids";
import { ageOf, replacedIn } from "../ledger/record-map.ts";
import { type BeatRecord, type Hearing, hearingOf, type LiveFleet, livenessOf, silentAtMs } from "./live.ts";

/** Whether we hear the fleet. */
interface Heard extends Hearing {
  /** Before this nobody falls silent who is not silent now; null where nobody is left. */
  readonly silentAtMs: number | null;
}

interface Kept {
  readonly beats: LiveFleet["beats"];
  readonly beatsAge: number;
  readonly connectedSinceMs: number | null;
  /** Between these instants time alone changes nothing of it. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** All are steady. */
  readonly isCalm: boolean;
  readonly heard: Heard;
}

/** By the list of hosts: every decision asks this of the whole fleet, and it changes only with a beat or at a known instant. */
const kept = new WeakMap<readonly HostId[], Kept>();

/** {@link hearingOf} these hosts. */
export function heardOf(live: LiveFleet, hostIds: readonly HostId[], nowMs: number): Heard {
  const known = kept.get(hostIds);
  const heard = (known && heardSince(known, live, nowMs)) ?? heardAnew(live, hostIds, nowMs);
  if (heard !== known) kept.set(hostIds, heard);
  return heard.heard;
}

/** Who beats in a calm fleet changes nothing but when somebody falls silent next. Null where all must be asked. */
function heardSince(known: Kept, live: LiveFleet, nowMs: number): Kept | null {
  const { beats, connectedSinceMs } = live;
  const isNow = nowMs >= known.fromMs && nowMs <= known.untilMs;
  if (!isNow || known.beats !== beats || known.connectedSinceMs !== connectedSinceMs) return null;
  const replaced = replacedIn(beats, known.beatsAge);
  if (replaced?.length === 0) return known;
  if (!known.isCalm || !replaced?.every((hostId) => isSteady(live, hostId, nowMs))) return null;
  const silentMs = earliest(replaced, (hostId) => silentAtMs(live, hostId, nowMs));
  const nextMs = Math.min(
    silentMs ?? Number.POSITIVE_INFINITY,
    known.heard.silentAtMs ?? Number.POSITIVE_INFINITY,
  );
  const heard = { ...known.heard, silentAtMs: Number.isFinite(nextMs) ? nextMs : null };
  return { ...known, beatsAge: ageOf(beats), untilMs: Math.min(known.untilMs, nextMs - 1), heard };
}

function heardAnew(live: LiveFleet, hostIds: readonly HostId[], nowMs: number): Kept {
  const { beats, connectedSinceMs } = live;
  const silentMs = earliest(hostIds, (hostId) => silentAtMs(live, hostId, nowMs));
  const settledMs = earliest(hostIds, (hostId) => freshUntilMs(beats.get(hostId), nowMs));
  return {
    beats,
    beatsAge: ageOf(beats),
    connectedSinceMs,
    fromMs: nowMs,
    // Without a connection we hear since this very instant.
    untilMs:
      connectedSinceMs === null
        ? nowMs
        : Math.min((silentMs ?? Number.POSITIVE_INFINITY) - 1, settledMs ?? Number.POSITIVE_INFINITY),
    isCalm: hostIds.every((hostId) => isSteady(live, hostId, nowMs)),
    heard: { ...hearingOf(live, hostIds, nowMs), silentAtMs: silentMs },
  };
}

/** It is not silent, and never was. */
function isSteady(live: LiveFleet, hostId: HostId, nowMs: number): boolean {
  return !live.beats.get(hostId)?.silence && livenessOf(live, hostId, nowMs).kind !== "silent";
}

/** How long the end of its silence counts as just now. */
function freshUntilMs(beat: BeatRecord | undefined, nowMs: number): number | null {
  if (!beat?.silence) return null;
  const untilMs = beat.silence.toMs + beat.intervalMs;
  return nowMs <= untilMs ? untilMs : null;
}

function earliest(hostIds: readonly HostId[], instantOf: (hostId: HostId) => number | null): number | null {
  let earliestMs: number | null = null;
  for (const hostId of hostIds) {
    const atMs = instantOf(hostId);
    if (atMs !== null && (earliestMs === null || atMs < earliestMs)) earliestMs = atMs;
  }
  return earliestMs;
}
