interface OfHost {
  readonly hostId: string;
}

/** Lists are never changed in place, so each is indexed once, when it is first asked. */
const indexes = new WeakMap<readonly OfHost[], ReadonlyMap<string, readonly OfHost[]>>();

const nobody: readonly never[] = [];

/** The entries of one host in a list of many hosts, in their order; empty where it has none. */
export function entriesOf<T extends OfHost>(list: readonly T[], hostId: string): readonly T[] {
  const index = (indexes.get(list) ?? indexed(list)) as ReadonlyMap<string, readonly T[]>;
  return index.get(hostId) ?? nobody;
}

/** The first entry of one host in a list of many hosts. */
export function entryOf<T extends OfHost>(list: readonly T[], hostId: string): T | undefined {
  return entriesOf(list, hostId)[0];
}

export function isNamedIn(list: readonly OfHost[], hostId: string): boolean {
  return entriesOf(list, hostId).length > 0;
}

function indexed(list: readonly OfHost[]): ReadonlyMap<string, readonly OfHost[]> {
  const index = new Map<string, OfHost[]>();
  for (const entry of list) {
    const known = index.get(entry.hostId);
    if (known) known.push(entry);
    else index.set(entry.hostId, [entry]);
  }
  indexes.set(list, index);
  return index;
}
