import type { Member } from "@siding/shared/command";
import { hasBeenWell } from "../box/process.ts";
import type { Evidence } from "../evidence/evidence.ts";
import type { FactOf } from "../fact.ts";
import type { Truth } from "../truth.ts";
import type { JudgeMaker } from "./judge.ts";

/**
 * No request is lost by our action: nothing is stopped that a counted edge routes to, and no counted edge begins to route
 * to what does not answer. What died or fell ill by itself is not ours.
 */
export const lostRequest: JudgeMaker = () => {
  const faulty = new Set<string>();
  return {
    name: "lost-request",
    rule: "no lost request",
    observe(fact, truth, evidence) {
      if (fact.kind === "process-lost") faulty.add(`${fact.hostId}/${fact.process.service}`);
      if (fact.kind === "process-started" && !fact.process.afterFault) {
        faulty.delete(`${fact.hostId}/${fact.process.service}`);
      }
      if (fact.kind === "process-stopped") return stopped(fact, truth, evidence);
      const service = fact.kind === "routed" ? evidence.services.get(fact.list.service) : null;
      if (fact.kind !== "routed" || !service?.countedEdges().includes(fact.edgeId)) return null;
      return routed(fact, truth, faulty);
    },
  };
};

function stopped(
  { hostId, process }: FactOf<"process-stopped">,
  truth: Truth,
  evidence: Evidence,
): string | null {
  if (truth.isCloned(hostId)) return null;
  for (const edgeId of evidence.services.get(process.service)?.countedEdges() ?? []) {
    const list = truth
      .listsOf(edgeId, process.service)
      .find(({ members }) => members.some((each) => each.hostId === hostId));
    if (list) {
      return `${hostId} stops ${process.ref} while workers of edge ${edgeId} route to it by revision ${list.revision}`;
    }
  }
  return null;
}

function routed(
  { edgeId, list }: FactOf<"routed">,
  truth: Truth,
  faulty: ReadonlySet<string>,
): string | null {
  const before = truth
    .listsOf(edgeId, list.service)
    .filter(({ generation }) => generation !== list.generation);
  for (const member of list.members) {
    const { hostId, targetId } = member;
    const known = before.some(({ members }) =>
      members.some((each) => each.hostId === hostId && each.targetId === targetId),
    );
    const excused = faulty.has(`${hostId}/${list.service}`) || truth.isCloned(hostId);
    if (known || excused || !truth.hasPath(edgeId, hostId)) continue;
    const why = whyNot(member, truth, list.service);
    if (why) return `edge ${edgeId} begins to route to ${hostId} as ${targetId}, where ${why}`;
  }
  return null;
}

/** Why a member does not answer as that target; null where it does. */
function whyNot(
  { hostId, targetId, address }: Member,
  truth: Truth,
  service: FactOf<"routed">["list"]["service"],
): string | null {
  const process = truth.processOf(hostId, service);
  if (!process) return "nothing runs";
  if (truth.addressOf(hostId) !== address) return `the address is ${truth.addressOf(hostId)}, not ${address}`;
  if (process.targetId !== targetId) return `${process.targetId} runs`;
  if (process.stopping) return "it is being stopped";
  return hasBeenWell(process, truth.nowMs) ? null : "it has never answered well";
}
