interface OfHost {
  readonly hostId: string;
}

/** Where the entries of each host stand, and which list this one was made from. */
interface Index {
  readonly places: ReadonlyMap<string, readonly number[]>;
  readonly lineage: Lineage;
  /** How many changes its lineage had when this list was made. */
  readonly age: number;
}

/** Lists that were made from each other, one after the other: whose entry was replaced each time. */
interface Lineage {
  readonly replaced: string[];
}

/** A list that has had more changes than this is looked at as a whole again, so that nothing is remembered for ever. */
const longestLineage = 4_096;

/** Lists are never changed in place, so each is indexed once: when it is first asked, or with the list that it is made from. */
const indexes = new WeakMap<readonly OfHost[], Index>();

const nobody: readonly never[] = [];

/** The entries of one host in a list of many hosts, in their order; empty where it has none. */
export function entriesOf<T extends OfHost>(list: readonly T[], hostId: string): readonly T[] {
  const places = indexOf(list).places.get(hostId);
  return places === undefined ? nobody : places.map((place) => list[place] as T);
}

/** The first entry of one host in a list of many hosts. */
export function entryOf<T extends OfHost>(list: readonly T[], hostId: string): T | undefined {
  const place = indexOf(list).places.get(hostId)?.[0];
  return place === undefined ? undefined : list[place];
}

export function isNamedIn(list: readonly OfHost[], hostId: string): boolean {
  return indexOf(list).places.has(hostId);
}

/**
 * The list with these in the place of the first entries of their hosts, which must have one. Every host stays where it is,
 * so that nothing is indexed anew, and {@link replacedSince} knows what is another.
 */
export function withEntries<T extends OfHost>(list: readonly T[], entries: readonly T[]): readonly T[] {
  const { places, lineage, age } = indexOf(list);
  const next = [...list];
  for (const entry of entries) {
    const place = places.get(entry.hostId)?.[0];
    if (place === undefined) throw new Error(`${entry.hostId} has no entry to replace`);
    next[place] = entry;
  }
  const { replaced } = lineage;
  const goesOn = age === replaced.length && age < longestLineage;
  const line = goesOn ? lineage : { replaced: [] };
  if (goesOn) for (const { hostId } of entries) replaced.push(hostId);
  indexes.set(next, { places, lineage: line, age: line.replaced.length });
  return next;
}

/**
 * The hosts whose entries `list` may have others for than `before`, which it was made from by {@link withEntries}; null
 * where it was not, as far as is known, and every entry may be another.
 */
export function replacedSince(before: readonly OfHost[], list: readonly OfHost[]): readonly string[] | null {
  if (before === list) return nobody;
  const [older, newer] = [indexes.get(before), indexes.get(list)];
  if (older === undefined || older.lineage !== newer?.lineage || older.age > newer.age) return null;
  return newer.lineage.replaced.slice(older.age, newer.age);
}

/** Which hosts a list names, and where: the same object for lists that were made from each other. */
export function placesIn(list: readonly OfHost[]): object {
  return indexOf(list).places;
}

function indexOf(list: readonly OfHost[]): Index {
  const known = indexes.get(list);
  if (known) return known;
  const places = new Map<string, number[]>();
  for (const [place, { hostId }] of list.entries()) {
    const others = places.get(hostId);
    if (others) others.push(place);
    else places.set(hostId, [place]);
  }
  const index = { places, lineage: { replaced: [] }, age: 0 };
  indexes.set(list, index);
  return index;
}
