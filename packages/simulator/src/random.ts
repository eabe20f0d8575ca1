/**
 * Seeded randomness: the same seed gives the same numbers on every machine. The generator is sfc32, its state filled by
 * splitmix32 (both public domain); not for secrets.
 */
export class Random {
  readonly #seed: number;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    this.#seed = seed >>> 0;
    const fill = splitmix32(this.#seed);
    this.#a = fill();
    this.#b = fill();
    this.#c = fill();
    for (let round = 0; round < warmUpRounds; round += 1) this.#bits();
  }

  /** A stream of its own for one concern: what others draw does not shift it. */
  fork(label: string): Random {
    let hash = this.#seed ^ 0x9e3779b9;
    for (let at = 0; at < label.length; at += 1) hash = Math.imul(hash ^ label.charCodeAt(at), 0x01000193);
    return new Random(hash);
  }

  /** From 0 to below 1. */
  share(): number {
    return this.#bits() / 0x1_0000_0000;
  }

  /** A whole number from `least` to `most`, both included. */
  int(least: number, most: number): number {
    return least + Math.floor(this.share() * (most - least + 1));
  }

  /** Like {@link int}, with as many small ones as large ones by order of magnitude: for durations. */
  spread(least: number, most: number): number {
    return Math.round(least * (most / least) ** this.share());
  }

  chance(probability: number): boolean {
    return this.share() < probability;
  }

  pick<T>(items: readonly [T, ...T[]] | readonly T[]): T {
    const item = items[this.int(0, items.length - 1)];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  }

  /** `count` different ones, in the order in which they stand. */
  sample<T>(items: readonly T[], count: number): readonly T[] {
    let missing = Math.min(count, items.length);
    return items.filter((_, index) => {
      const taken = this.share() * (items.length - index) < missing;
      if (taken) missing -= 1;
      return taken;
    });
  }

  #bits(): number {
    const sum = (this.#a + this.#b + this.#counter) >>> 0;
    this.#counter = (this.#counter + 1) >>> 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) >>> 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) >>> 0;
    return sum;
  }
}

/** The first numbers of similar seeds are similar; after so many they are not. */
const warmUpRounds = 12;

function splitmix32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  };
}
