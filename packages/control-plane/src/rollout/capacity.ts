import type { Member } from "@siding/shared/command";
import type { HostId } from "@siding/shared/ids";
import type { Amount } from "@siding/shared/units";
import {
  countedEdges,
  type EdgeView,
  type HostView,
  hostIn,
  possibleLists,
  type Snapshot,
} from "./snapshot.ts";

/**
 * The arithmetic of design section 3. A capacity that must stay rounds up, a share that may leave rounds down:
 * rounding never takes more hosts than was meant.
 */

/** Least number of serving instances. A percentage below 100 never asks for every host, else nothing could ever move. */
export function minServingOf(amount: Amount, base: number): number {
  if (amount.kind === "count") return amount.count;
  const wanted = Math.ceil((amount.percent / 100) * base - rounding);
  return amount.percent < 100 ? Math.max(0, Math.min(wanted, base - 1)) : wanted;
}

/** `batchSize`, `maxUnavailable`: down, and at least one host. */
export function batchSizeOf(amount: Amount, base: number): number {
  return Math.max(1, downOf(amount, base));
}

/** `maxFailures`: down; 0 means that the first failure counts. */
export function maxFailuresOf(amount: Amount, base: number): number {
  return downOf(amount, base);
}

function downOf(amount: Amount, base: number): number {
  return amount.kind === "count" ? amount.count : Math.floor((amount.percent / 100) * base + rounding);
}

/** 28 % of 25 is 7.000000000000001 in binary fractions; far below any real share of a fleet. */
const rounding = 1e-9;

/** Hosts that capacity is counted over: those that have served, less the removed. A first deployment has none. */
export function baseOf(snapshot: Snapshot): readonly HostView[] {
  return snapshot.hosts.filter((host) => host.instance.target !== null && host.hold !== "removed");
}

/** Serves what it is listed with, as far as is known; silence is not down. */
function isServingAs(host: HostView | undefined, member: Member): boolean {
  return host !== undefined && host.instance.running === member.targetId && host.instance.health !== "bad";
}

/** Who serves of a list on one edge: whom it has ejected does not. */
function servingOn(snapshot: Snapshot, edge: EdgeView | null, members: readonly Member[]): readonly HostId[] {
  return members
    .filter((member) => isServingAs(hostIn(snapshot, member.hostId), member) && !isEjected(edge, member))
    .map((member) => member.hostId);
}

/** Who serves of a list on every counted edge. */
export function servingEverywhere(snapshot: Snapshot, members: readonly Member[]): readonly HostId[] {
  const [first, ...others] = views(snapshot).map((edge) => servingOn(snapshot, edge, members));
  const elsewhere = others.map((serving) => new Set(serving));
  return (first ?? []).filter((hostId) => elsewhere.every((serving) => serving.has(hostId)));
}

/** Fewest serving instances on any counted edge, whichever of its possible lists it is serving now. */
export function servingNow(snapshot: Snapshot): number {
  const counts = views(snapshot).flatMap((edge) => {
    const lists = edge ? possibleLists(snapshot, edge) : [];
    const all = lists.length > 0 ? lists : [snapshot.upstream.content.members];
    return all.map((members) => servingOn(snapshot, edge, members).length);
  });
  return Math.min(...counts);
}

/** Capacity is counted on each edge; without any, on paper. */
function views(snapshot: Snapshot): readonly (EdgeView | null)[] {
  const edges = countedEdges(snapshot);
  return edges.length > 0 ? edges : [null];
}

function isEjected(edge: EdgeView | null, { hostId, slot }: Member): boolean {
  return edge?.ejected.some((ejected) => ejected.hostId === hostId && ejected.slot === slot) ?? false;
}

export type CapacityVerdict =
  | { readonly kind: "fits" }
  | { readonly kind: "short"; readonly serving: number; readonly minServing: number };

/**
 * May the upstream be revised to `next`? An action costs the serving instances that it removes; one that removes none
 * is always allowed. Else serving stays at the minimum on every edge, old list or new, and the last one is never taken.
 */
export function judgeRevision(snapshot: Snapshot, next: readonly Member[]): CapacityVerdict {
  const minServing = minServingOf(snapshot.spec.capacity.minServing, baseOf(snapshot).length);
  const before = snapshot.upstream.content.members;
  const left = views(snapshot).map((edge) => {
    const remaining = new Set(servingOn(snapshot, edge, next));
    const loses = servingOn(snapshot, edge, before).some((hostId) => !remaining.has(hostId));
    return { loses, remaining: remaining.size };
  });
  if (!left.some(({ loses }) => loses)) return { kind: "fits" };
  const remaining = Math.min(...left.map((edge) => edge.remaining));
  const serving = Math.min(remaining, servingNow(snapshot));
  return serving >= Math.max(minServing, 1)
    ? { kind: "fits" }
    : { kind: "short", serving: remaining, minServing };
}
