/** Something that will happen; calling it off is cheaper than taking it out. */
export interface Appointment {
  readonly atMs: number;
  readonly order: number;
  readonly happen: () => void;
  calledOff: boolean;
}

/**
 * Virtual time: nothing happens between two appointments, so the clock jumps from one to the next. Those of one instant
 * happen in the order in which they were made. A binary heap.
 */
export class Timeline {
  readonly #heap: Appointment[] = [];
  #nowMs = 0;
  #made = 0;
  #happened = 0;

  get nowMs(): number {
    return this.#nowMs;
  }

  /** How many appointments were kept: the simulator's measure of work. */
  get happened(): number {
    return this.#happened;
  }

  after(delayMs: number, happen: () => void): Appointment {
    return this.at(this.#nowMs + delayMs, happen);
  }

  at(atMs: number, happen: () => void): Appointment {
    if (!(atMs >= this.#nowMs)) throw new Error(`asked for ${atMs}, which is before ${this.#nowMs}`);
    this.#made += 1;
    const appointment: Appointment = { atMs, order: this.#made, happen, calledOff: false };
    this.#heap.push(appointment);
    this.#rise(this.#heap.length - 1);
    return appointment;
  }

  /** Keeps the next appointment if it is not after `untilMs`. False where there is none: then time has come there. */
  next(untilMs: number): boolean {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.atMs > untilMs) {
        this.#nowMs = untilMs;
        return false;
      }
      this.#takeFirst();
      if (first.calledOff) continue;
      this.#nowMs = first.atMs;
      this.#happened += 1;
      first.happen();
      return true;
    }
  }

  #takeFirst(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #rise(from: number): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#swapIfBefore(at, parent)) return;
      at = parent;
    }
  }

  #sink(from: number): void {
    let at = from;
    for (;;) {
      const left = 2 * at + 1;
      const first = this.#isBefore(left + 1, left) ? left + 1 : left;
      if (!this.#swapIfBefore(first, at)) return;
      at = first;
    }
  }

  #swapIfBefore(lower: number, upper: number): boolean {
    if (!this.#isBefore(lower, upper)) return false;
    const [below, above] = [this.#heap[lower], this.#heap[upper]];
    if (!below || !above) return false;
    this.#heap[upper] = below;
    this.#heap[lower] = above;
    return true;
  }

  #isBefore(left: number, right: number): boolean {
    const [one, other] = [this.#heap[left], this.#heap[right]];
    if (!one || !other) return false;
    return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
  }
}
