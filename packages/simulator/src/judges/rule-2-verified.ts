import type { Member } from "@siding/shared/command";
import type { HostId, ServiceName } from "@siding/shared/ids";
import type { ServiceProcess } from "../box/process.ts";
import type { Evidence } from "../evidence/evidence.ts";
import type { FactOf } from "../fact.ts";
import type { Truth } from "../truth.ts";
import type { JudgeMaker } from "./judge.ts";

/** Good answers in a row of one instance, by who asked. */
interface Asked {
  readonly targetId: string;
  readonly run: Map<HostId, number>;
  readonly verifiedBy: Set<HostId>;
}

/** By host and service. */
type Instances = Map<string, Asked>;

const keyOf = (hostId: HostId, service: ServiceName) => `${hostId}/${service}`;

/**
 * Rule 2: an edge that counts begins to list only what was verified on that target, at that address: by its agent, and
 * from that very edge. A process that a fault replaced is the same instance: nobody was told yet. What a restored ledger
 * says anew another edge serves already.
 */
export const verified: JudgeMaker = () => {
  const instances: Instances = new Map();
  return {
    name: "verified",
    rule: "rule 2",
    observe(fact, truth, evidence) {
      if (fact.kind === "process-started") started(instances, fact.hostId, fact.process);
      if (fact.kind === "probed") asked(instances, fact, evidence);
      if (fact.kind === "moved") forget(instances, fact.hostId);
      if (fact.kind !== "routed") return null;
      const service = evidence.services.get(fact.list.service);
      const counts =
        service?.countedFor(fact.edgeId, fact.list.revision) === true &&
        !service.restated.has(fact.list.revision);
      const verdict = counts ? listed(instances, fact, truth) : null;
      remember(instances, fact);
      return verdict;
    },
  };
};

/** At another address it was never seen by anybody. */
function forget(instances: Instances, hostId: HostId): void {
  for (const key of instances.keys()) {
    if (key.startsWith(`${hostId}/`)) instances.delete(key);
  }
}

function listed(instances: Instances, { edgeId, list }: FactOf<"routed">, truth: Truth): string | null {
  const before = truth.listsOf(edgeId, list.service).filter(({ generation }) => generation < list.generation);
  // An nginx that has just been started serves again what it served.
  if (before.length === 0) return null;
  for (const member of list.members) {
    const { hostId, targetId } = member;
    const known = before.some(({ members }) => members.some((each) => isSame(each, member)));
    const asWhat = instances.get(keyOf(hostId, list.service));
    // At an address that it had before there is nobody.
    const excused = known || truth.isCloned(hostId) || truth.addressOf(hostId) !== member.address;
    const missing = excused ? null : missingFor(asWhat, targetId, hostId, edgeId);
    if (missing) return `edge ${edgeId} lists ${hostId} as ${targetId}, which was not verified ${missing}`;
  }
  return null;
}

function isSame(left: Member, right: Member): boolean {
  return left.hostId === right.hostId && left.targetId === right.targetId && left.address === right.address;
}

/** What an edge has routed to, it knows: delisted and never stopped, it may come back without another word. */
function remember(instances: Instances, { edgeId, list }: FactOf<"routed">): void {
  for (const { hostId, targetId } of list.members) {
    const known = instances.get(keyOf(hostId, list.service));
    if (known?.targetId === targetId) known.verifiedBy.add(edgeId);
  }
}

function started(instances: Instances, hostId: HostId, process: ServiceProcess): void {
  const key = keyOf(hostId, process.service);
  if (process.afterFault && instances.get(key)?.targetId === process.targetId) return;
  instances.set(key, { targetId: process.targetId, run: new Map(), verifiedBy: new Set() });
}

function asked(
  instances: Instances,
  { by, hostId, process, good }: FactOf<"probed">,
  evidence: Evidence,
): void {
  const service = process && evidence.services.get(process.service);
  const known = process && instances.get(keyOf(hostId, process.service));
  if (!known || !service) return;
  const run = good ? (known.run.get(by) ?? 0) + 1 : 0;
  known.run.set(by, run);
  if (run >= service.spec.target.health.rise) known.verifiedBy.add(by);
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
