/** So many downloads at once (design section 7): more would only make each of them slower. */
const maxDownloads = 20;
/** So many more wait in line, which keeps every place in use; whoever comes then is asked to come again. */
const maxWaiting = 100;
/** Nobody waits longer without a byte: an agent gives a silent transfer up after 30 s. */
const longestWaitMs = 10_000;
/** Who is turned away comes back after 1 to so many seconds, each at another: a fleet that comes together would be turned away together. */
const longestRetryAfterS = 5;

export interface PlaceLimits {
  readonly maxDownloads: number;
  readonly maxWaiting: number;
  readonly longestWaitMs: number;
}

/** Gives the place back. Twice is once. */
type GiveBack = () => void;

/** The places of those who download: a few at once, the next in the order in which they came. */
export class DownloadPlaces {
  readonly #limits: PlaceLimits;
  readonly #line = new Set<(giveBack: GiveBack) => void>();
  #taken = 0;
  #turnedAway = 0;

  constructor(limits: Partial<PlaceLimits> = {}) {
    this.#limits = { maxDownloads, maxWaiting, longestWaitMs, ...limits };
  }

  /** Null: no place is free for too long, the line is full, or who asked has gone (`signal`). */
  async take(signal: AbortSignal): Promise<GiveBack | null> {
    if (signal.aborted) return null;
    if (this.#taken < this.#limits.maxDownloads) return this.#occupy();
    if (this.#line.size >= this.#limits.maxWaiting) return null;
    const { promise, resolve } = Promise.withResolvers<GiveBack | null>();
    const leave = () => {
      this.#line.delete(resolve);
      resolve(null);
    };
    const timer = setTimeout(leave, this.#limits.longestWaitMs);
    signal.addEventListener("abort", leave, { once: true });
    this.#line.add(resolve);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", leave);
    }
  }

  /** When someone who was turned away should come again, in seconds. */
  retryAfterS(): number {
    this.#turnedAway += 1;
    return 1 + (this.#turnedAway % longestRetryAfterS);
  }

  get taken(): number {
    return this.#taken;
  }

  #occupy(): GiveBack {
    this.#taken += 1;
    let given = false;
    return () => {
      if (given) return;
      given = true;
      this.#taken -= 1;
      this.#next();
    };
  }

  #next(): void {
    const [first] = this.#line;
    if (first === undefined) return;
    this.#line.delete(first);
    first(this.#occupy());
  }
}
