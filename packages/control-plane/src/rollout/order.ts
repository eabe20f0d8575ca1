import type { Strategy } from "@siding/shared/spec";
import { isNamedIn } from "./by-host.ts";
import type { HostView, Snapshot } from "./snapshot.ts";

/**
 * In which order hosts are taken: first the sick and those that do not serve yet, since they cost no capacity and may get
 * well by it (CodeDeploy does the same), then by id. With `spread`, hosts of different values of the label follow each other, so that a batch takes
 * as few as it can of each.
 */
export function inOrder(
  snapshot: Snapshot,
  hosts: readonly HostView[],
  strategy: Strategy,
): readonly HostView[] {
  const idle = hosts.filter((host) => costsNothing(snapshot, host));
  const well = hosts.filter((host) => !idle.includes(host));
  const label = strategy.kind === "rolling" ? strategy.spread : null;
  return label === null ? [...idle, ...well] : [...interleaved(idle, label), ...interleaved(well, label)];
}

/** Not listed; or what has served once does not run, or is not healthy. */
function costsNothing({ upstream }: Snapshot, { hostId, instance }: HostView): boolean {
  if (!isNamedIn(upstream.content.members, hostId)) return true;
  if (instance.target === null) return false;
  return instance.running !== instance.target.id || instance.health === "bad";
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
