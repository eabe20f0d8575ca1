import type { HostId } from "@siding/shared/ids";
import type { HostRecord, LedgerState } from "./state.ts";

/** Which hosts are meant, by nothing but their records and `basis`. */
export interface Rule {
  readonly isMeant: (host: HostRecord) => boolean;
  /** Another object where the rule is another one. */
  readonly basis?: object;
}

/** Whom a rule meant when the records were of that age. */
interface Selection {
  readonly age: number;
  readonly basis: object | undefined;
  readonly hostIds: readonly HostId[];
}

const selections = new WeakMap<LedgerState["hosts"], WeakMap<object, Selection>>();

/**
 * The hosts that a rule means, in order; the same list as long as it means the same hosts. It is asked again only of those
 * whose record was replaced since, as a fleet is large and looked at in every decision. `key` stands for the rule.
 */
export function selected({ hosts }: Pick<LedgerState, "hosts">, key: object, rule: Rule): readonly HostId[] {
  const ofFleet = selections.get(hosts) ?? new WeakMap<object, Selection>();
  selections.set(hosts, ofFleet);
  const known = ofFleet.get(key);
  const before = known?.basis === rule.basis ? known : undefined;
  const replaced = before ? hosts.replacedSince(before.age) : null;
  if (before && replaced?.length === 0) return before.hostIds;
  const isStill = before && replaced?.every((hostId) => isMeantAsBefore(hosts, before, rule, hostId));
  const hostIds = isStill ? before.hostIds : meantBy(hosts, rule);
  ofFleet.set(key, { age: hosts.age, basis: rule.basis, hostIds });
  return hostIds;
}

function meantBy(hosts: LedgerState["hosts"], { isMeant }: Rule): readonly HostId[] {
  return hostsInOrder({ hosts }).flatMap((host) => (isMeant(host) ? [host.hostId] : []));
}

function isMeantAsBefore(
  hosts: LedgerState["hosts"],
  { hostIds }: Selection,
  { isMeant }: Rule,
  hostId: HostId,
): boolean {
  const host = hosts.get(hostId);
  return (host !== undefined && isMeant(host)) === setOf(hostIds).has(hostId);
}

/** A list of ids is never changed in place. */
const sets = new WeakMap<readonly HostId[], ReadonlySet<HostId>>();

function setOf(hostIds: readonly HostId[]): ReadonlySet<HostId> {
  const set = sets.get(hostIds) ?? new Set(hostIds);
  sets.set(hostIds, set);
  return set;
}

/** A fleet is looked at in order again and again, and nobody is ever struck off: only a new host changes the order. */
const orders = new WeakMap<LedgerState["hosts"], readonly HostId[]>();

/** Every host by its id, h2 before h10. */
export function hostsInOrder({ hosts }: Pick<LedgerState, "hosts">): readonly HostRecord[] {
  const known = orders.get(hosts);
  const order = known?.length === hosts.size ? known : orderOf([...hosts.keys()]);
  orders.set(hosts, order);
  return order.flatMap((hostId) => hosts.get(hostId) ?? []);
}

function orderOf(hostIds: readonly HostId[]): readonly HostId[] {
  const keyed = hostIds.map((hostId) => {
    const key = hostId.replaceAll(/[0-9]+/g, (digits) => digits.padStart(63, "0"));
    return { hostId, key };
  });
  return keyed.sort((left, right) => (left.key < right.key ? -1 : 1)).map(({ hostId }) => hostId);
}
