import type { ProbeAnswer } from "../../machine/event.ts";

/** One run of a health command, which a newer one of the same instance may take the place of. */
export class CheckTurn {
  readonly over: Promise<void>;
  end: () => void = () => {};
  #isGivenUp = false;
  #kill: () => void = () => {};

  constructor() {
    this.over = new Promise((resolve) => {
      this.end = resolve;
    });
  }

  get isGivenUp(): boolean {
    return this.#isGivenUp;
  }

  /** What ends it once it runs. */
  onGivenUp(kill: () => void): void {
    this.#kill = kill;
  }

  giveUp(): void {
    this.#isGivenUp = true;
    this.#kill();
  }
}

/** Never two runs at once for one instance, and few for the host; the others wait in order. */
export class CheckQueue {
  readonly #atOnce: number;
  readonly #newest = new Map<string, CheckTurn>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** A run of the same key that is under way, or waits, is given up first. */
  async take(key: string, work: (turn: CheckTurn) => Promise<ProbeAnswer>): Promise<ProbeAnswer> {
    const before = this.#newest.get(key);
    const turn = new CheckTurn();
    this.#newest.set(key, turn);
    before?.giveUp();
    await before?.over;
    await this.#enter();
    try {
      return turn.isGivenUp ? { kind: "error", message: "given up" } : await work(turn);
    } finally {
      this.#leave();
      turn.end();
      if (this.#newest.get(key) === turn) this.#newest.delete(key);
    }
  }

  /** Gives up whatever runs and waits. */
  close(): void {
    for (const turn of this.#newest.values()) turn.giveUp();
  }

  async #enter(): Promise<void> {
    if (this.#running < this.#atOnce) {
      this.#running += 1;
      return;
    }
    // Whoever leaves hands its place over, so that nobody comes in between.
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running -= 1;
    else next();
  }
}
