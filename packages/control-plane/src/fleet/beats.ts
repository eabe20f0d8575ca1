import { canonicalJson } from "@siding/shared/digest";
import type { HostId } from "@siding/shared/ids";
import type { Beat } from "@siding/shared/report";
import type { LedgerClock } from "../ledger/clock.ts";
import { type BeatRecord, hasConflict, type LiveFleet, livenessOf, withBeat } from "./live.ts";

/** The newest beat of each host: in memory only, since after a restart nobody's silence means anything yet. */
export class BeatStore {
  readonly #clock: LedgerClock;
  readonly #beats = new Map<HostId, BeatRecord>();
  #connectedSinceMs: number | null = null;

  constructor(clock: LedgerClock) {
    this.#clock = clock;
  }

  /** Silence counts from here anew: before, we could not have heard anybody. */
  connected(): void {
    this.#connectedSinceMs = this.#clock.nowMs();
  }

  disconnected(): void {
    this.#connectedSinceMs = null;
  }

  view(): LiveFleet {
    return { connectedSinceMs: this.#connectedSinceMs, beats: this.#beats };
  }

  /** Takes a beat in. True where it says something that a decision could depend on: most only say "still here". */
  accept({ hostId, incarnation, stateDigest, intervalMs, load }: Beat): boolean {
    const nowMs = this.#clock.nowMs();
    const before = this.#standing(hostId, nowMs);
    const beat = {
      lastBeatMs: nowMs,
      intervalMs,
      incarnation,
      stateDigest,
      load,
      lastSeenAt: this.#clock.at(),
    };
    this.#beats.set(hostId, withBeat(this.#beats.get(hostId), beat));
    return before !== this.#standing(hostId, nowMs);
  }

  /** All of a host that decisions and syncs depend on, as one comparable text. */
  #standing(hostId: HostId, nowMs: number): string {
    const view = this.view();
    const beat = this.#beats.get(hostId);
    return canonicalJson([
      beat?.incarnation,
      beat?.stateDigest,
      livenessOf(view, hostId, nowMs).kind,
      hasConflict(view, hostId, nowMs),
    ]);
  }
}
