import type { ServiceName } from "@siding/shared/ids";
import type { Release } from "@siding/shared/target";
import type { Effect } from "./effect.ts";
import type { InstanceJournal } from "./journal.ts";
import { withJournal } from "./move.ts";
import type { Instance } from "./state.ts";

/** So many releases of a service stay, besides those that are in use and those that a rollback goes to (design section 7). */
const keptReleases = 5;

/** Forgets the oldest staged targets beyond the kept ones; what the instance runs or is told to run stays. */
export function retained(instance: Instance): Instance {
  const { staged } = instance.journal;
  const digests = [...new Set(staged.map((each) => each.release.digest))];
  const kept = new Set([
    ...digests.slice(-keptReleases),
    ...inUse(instance.journal).map((each) => each.digest),
  ]);
  return withJournal(instance, { staged: staged.filter((each) => kept.has(each.release.digest)) });
}

/** Both slots of a service share its releases: deleted is what neither refers to. */
export function prune(instances: Iterable<Instance>, service: ServiceName): Effect {
  const journals = [...instances].map((each) => each.journal).filter((each) => each.service === service);
  const keep = journals.flatMap((each) => [...each.staged.map((one) => one.release), ...inUse(each)]);
  const byDigest = new Map(keep.map((release) => [`${release.version} ${release.digest}`, release]));
  return { kind: "prune-releases", service, keep: [...byDigest.values()] };
}

/** What serves now, and what served before it. */
export function nowServing(release: Release, served: readonly Release[]): readonly Release[] {
  return [release, ...served.filter(({ digest }) => digest !== release.digest)].slice(0, 2);
}

function inUse({ wanted, started, command, served }: InstanceJournal): Release[] {
  const targets = [wanted?.target, started?.target, command?.body.target];
  return [...targets.flatMap((target) => (target ? [target.release] : [])), ...served];
}
