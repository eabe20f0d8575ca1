/** More changes than this are not remembered: whoever has not looked for so long looks at every record again. */
const longestMemory = 4_096;

/**
 * Records by key, which know what was put in when: who has looked at all of them once need only look at what is another
 * since. Fleets are large, and what happens concerns one host.
 */
export class RecordMap<K, V> extends Map<K, V> {
  #replaced: K[] = [];
  #forgotten = 0;

  /** Grows with every change. */
  get age(): number {
    return this.#forgotten + this.#replaced.length;
  }

  /** The keys of all records that were replaced since the map was of that age; null where that is not remembered. */
  replacedSince(age: number): readonly K[] | null {
    return age < this.#forgotten ? null : this.#replaced.slice(age - this.#forgotten);
  }

  override set(key: K, record: V): this {
    this.#note(key);
    return super.set(key, record);
  }

  override delete(key: K): boolean {
    this.#note(key);
    return super.delete(key);
  }

  override clear(): void {
    for (const key of this.keys()) this.#note(key);
    super.clear();
  }

  #note(key: K): void {
    if (this.#replaced.length >= longestMemory) {
      this.#forgotten += this.#replaced.length;
      this.#replaced = [];
    }
    this.#replaced.push(key);
  }
}

/** What any map knows of that: null where it is one that remembers nothing. */
export function replacedIn<K, V>(map: ReadonlyMap<K, V>, age: number): readonly K[] | null {
  return map instanceof RecordMap ? (map as RecordMap<K, V>).replacedSince(age) : null;
}

export function ageOf<K, V>(map: ReadonlyMap<K, V>): number {
  return map instanceof RecordMap ? map.age : 0;
}
