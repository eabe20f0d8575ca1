/** So many entries are copied where one is replaced; about as many parts make a large fleet. */
const partSize = 32;

/**
 * Entries of a large fleet by key, of which one is replaced at a time. Nothing is changed in place, and yet only the part
 * is copied in which the entry stands: whatever is known of the other parts, by themselves, stays known.
 */
export class WideMap<V> {
  readonly #places: ReadonlyMap<string, number>;
  readonly parts: readonly (readonly V[])[];

  private constructor(places: ReadonlyMap<string, number>, parts: readonly (readonly V[])[]) {
    this.#places = places;
    this.parts = parts;
  }

  static of<V>(entries: Iterable<readonly [string, V]>): WideMap<V> {
    const byKey = new Map(entries);
    const values = [...byKey.values()];
    const parts = Array.from({ length: Math.ceil(values.length / partSize) }, (_, part) =>
      values.slice(part * partSize, (part + 1) * partSize),
    );
    return new WideMap(new Map([...byKey.keys()].map((key, place) => [key, place])), parts);
  }

  get size(): number {
    return this.#places.size;
  }

  get(key: string): V | undefined {
    const place = this.#places.get(key);
    return place === undefined ? undefined : this.parts[Math.floor(place / partSize)]?.[place % partSize];
  }

  /** The same with another value of a key that it has. */
  with(key: string, value: V): WideMap<V> {
    const place = this.#places.get(key);
    if (place === undefined) throw new Error(`there is no ${key} to replace`);
    const at = Math.floor(place / partSize);
    const part = (this.parts[at] ?? []).with(place % partSize, value);
    return new WideMap(this.#places, this.parts.with(at, part));
  }

  /** The same keys with other values. */
  map<W>(change: (value: V, key: string) => W): WideMap<W> {
    return WideMap.of([...this].map(([key, value]) => [key, change(value, key)]));
  }

  values(): readonly V[] {
    return this.parts.flat();
  }

  *[Symbol.iterator](): Generator<readonly [string, V]> {
    const values = this.values();
    for (const [key, place] of this.#places) yield [key, values[place] as V];
  }
}
