import type { Strategy } from "@siding/shared/spec";
import type { HostView, Snapshot } from "./snapshot.ts";

/**
 * In which order hosts are taken: the sick first, since they cost no capacity and may get well by it (CodeDeploy does
 * the same), then by id. With `spread`, hosts of different values of the label follow each other, so that a batch takes
 * as few as it can of each.
 */
export function inOrder(
  snapshot: Snapshot,
  hosts: readonly HostView[],
  strategy: Strategy,
): readonly HostView[] {
  const sick = hosts.filter((host) => isSick(snapshot, host));
  const well = hosts.filter((host) => !sick.includes(host));
  const label = strategy.kind === "rolling" ? strategy.spread : null;
  return label === null ? [...sick, ...well] : [...interleaved(sick, label), ...interleaved(well, label)];
}

/** Served once, and does not now: not listed, not running, or not healthy. */
function isSick({ upstream }: Snapshot, { hostId, instance }: HostView): boolean {
  if (instance.target === null) return false;
  const listed = upstream.content.members.some((member) => member.hostId === hostId);
  return !listed || instance.running !== instance.target.id || instance.health === "bad";
}

/** One of each value in turn, the largest value first, until all are taken. */
function interleaved(hosts: readonly HostView[], label: string): readonly HostView[] {
  const byValue = Map.groupBy(hosts, (host) => host.labels[label] ?? "");
  const columns = [...byValue.values()].toSorted((left, right) => right.length - left.length);
  const rounds = Math.max(0, ...columns.map((column) => column.length));
  return Array.from({ length: rounds }, (_, round) =>
    columns.flatMap((column) => column[round] ?? []),
  ).flat();
}
