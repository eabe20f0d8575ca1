import { canonicalJson } from "@siding/shared/digest";
import type { HostId } from "@siding/shared/ids";
import type { Beat } from "@siding/shared/report";
import type { LedgerClock } from "../ledger/clock.ts";
import { RecordMap } from "../ledger/record-map.ts";
import { type BeatRecord, hasConflict, type LiveFleet, livenessOf, withBeat } from "./live.ts";

/** The newest beat of each host: in memory only, since after a restart nobody's silence means anything yet. */
export class BeatStore {
  readonly #clock: LedgerClock;
  readonly #beats = new RecordMap<HostId, BeatRecord>();
  /** Hosts whose next beat proves, or does not, that their last report was the last one that they sent. */
  readonly #unproven = new Set<HostId>();
  /** What was last known of each host: some of it changes with time alone. */
  readonly #standings = new Map<HostId, string>();
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

  /**
   * A report has come. A later one may be lost that leads back to what was so before: only the next beat can tell, though
   * it says the same as the last one did.
   */
  reported(hostId: HostId): void {
    this.#unproven.add(hostId);
  }

  /** Takes a beat in. True where it says something that a decision could depend on: most only say "still here". */
  accept({ hostId, incarnation, address, stateDigest, intervalMs, load, trouble }: Beat): boolean {
    if (trouble !== undefined) return this.#acceptTrouble(hostId, trouble);
    const nowMs = this.#clock.nowMs();
    const before = this.#standing(hostId, nowMs);
    const beat = {
      lastBeatMs: nowMs,
      intervalMs,
      incarnation,
      address: address ?? null,
      stateDigest,
      load,
      lastSeenAt: this.#clock.at(),
    };
    this.#beats.set(hostId, withBeat(this.#beats.get(hostId), beat));
    const proves = this.#unproven.delete(hostId);
    const standing = this.#standing(hostId, nowMs);
    const known = this.#standings.get(hostId);
    this.#standings.set(hostId, standing);
    return proves || before !== standing || known !== standing;
  }

  /** It can't be commanded, so it falls silent like one that is gone; but what it says is kept. */
  #acceptTrouble(hostId: HostId, trouble: string): boolean {
    const before = this.#beats.get(hostId);
    if (before === undefined || before.trouble === trouble) return false;
    this.#beats.set(hostId, { ...before, trouble });
    return true;
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
