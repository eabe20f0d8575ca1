/** Where time comes from. Real in main.ts, a variable in tests. */
export interface TimeSource {
  /** Grows steadily while the process lives, whatever people do to the clock on the wall. */
  monotonicMs(): number;
  /** Milliseconds since 1970: for people only. */
  wallMs(): number;
}

/**
 * The ledger's clock: elapsed milliseconds over all starts. It goes on from the newest commit of the last process, so
 * a deadline neither fires because the wall clock jumped nor while nobody was there to meet it.
 */
export class LedgerClock {
  readonly #time: TimeSource;
  readonly #offsetMs: number;

  /** @param elapsedMs the clock of the newest commit */
  constructor(time: TimeSource, elapsedMs: number) {
    this.#time = time;
    this.#offsetMs = elapsedMs - time.monotonicMs();
  }

  nowMs(): number {
    return Math.floor(this.#offsetMs + this.#time.monotonicMs());
  }

  /** The wall clock as RFC 3339. */
  at(): string {
    return new Date(this.#time.wallMs()).toISOString();
  }

  /** An instant of this clock as people read it; exact only while the wall clock was not set meanwhile. */
  wallAt(instantMs: number): string {
    return new Date(this.#time.wallMs() + instantMs - this.nowMs()).toISOString();
  }
}
