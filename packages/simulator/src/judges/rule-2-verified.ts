import type { HostId } from "@siding/shared/ids";
import type { ServiceProcess } from "../box/process.ts";
import type { FactOf } from "../fact.ts";
import type { Truth } from "../truth.ts";
import type { Evidence } from "./evidence.ts";
import type { JudgeMaker } from "./judge.ts";

/** Good answers in a row of one instance, by who asked. */
interface Asked {
  readonly targetId: string;
  readonly run: Map<HostId, number>;
  readonly verifiedBy: Set<HostId>;
}

/**
 * Rule 2: an edge that counts begins to list only what was verified on that target: by its agent, and from that very edge.
 * A process that a fault replaced is the same instance: nobody was told yet.
 */
export const verified: JudgeMaker = () => {
  const instances = new Map<HostId, Asked>();
  return {
    name: "verified",
    rule: "rule 2",
    observe(fact, truth, evidence) {
      if (fact.kind === "process-started") started(instances, fact.hostId, fact.process);
      if (fact.kind === "probed") asked(instances, fact, evidence);
      if (fact.kind !== "routed") return null;
      const counts = evidence.countedFor(fact.edgeId, fact.list.revision);
      const verdict = counts ? listed(instances, fact, truth) : null;
      remember(instances, fact);
      return verdict;
    },
  };
};

function listed(
  instances: ReadonlyMap<HostId, Asked>,
  { edgeId, list }: FactOf<"routed">,
  truth: Truth,
): string | null {
  const before = truth.listsOf(edgeId).filter(({ generation }) => generation < list.generation);
  // An nginx that has just been started serves again what it served.
  if (before.length === 0) return null;
  for (const { hostId, targetId } of list.members) {
    const known = before.some(({ members }) =>
      members.some((each) => each.hostId === hostId && each.targetId === targetId),
    );
    const missing = known ? null : missingFor(instances.get(hostId), targetId, hostId, edgeId);
    if (missing) return `edge ${edgeId} lists ${hostId} as ${targetId}, which was not verified ${missing}`;
  }
  return null;
}

/** What an edge has routed to, it knows: delisted and never stopped, it may come back without another word. */
function remember(instances: ReadonlyMap<HostId, Asked>, { edgeId, list }: FactOf<"routed">): void {
  for (const { hostId, targetId } of list.members) {
    const known = instances.get(hostId);
    if (known?.targetId === targetId) known.verifiedBy.add(edgeId);
  }
}

function started(instances: Map<HostId, Asked>, hostId: HostId, process: ServiceProcess): void {
  const known = instances.get(hostId);
  if (process.afterFault && known?.targetId === process.targetId) return;
  instances.set(hostId, { targetId: process.targetId, run: new Map(), verifiedBy: new Set() });
}

function asked(
  instances: Map<HostId, Asked>,
  { by, hostId, process, good }: FactOf<"probed">,
  evidence: Evidence,
): void {
  const known = instances.get(hostId);
  if (!known || !process || !evidence.spec) return;
  const run = good ? (known.run.get(by) ?? 0) + 1 : 0;
  known.run.set(by, run);
  if (run >= evidence.spec.target.health.rise) known.verifiedBy.add(by);
}

function missingFor(
  instance: Asked | undefined,
  targetId: string,
  hostId: HostId,
  edgeId: HostId,
): string | null {
  if (instance?.targetId !== targetId) return "at all";
  if (!instance.verifiedBy.has(hostId)) return "by its agent";
  return instance.verifiedBy.has(edgeId) ? null : "from there";
}
