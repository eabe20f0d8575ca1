import { hasBeenWell, type ServiceProcess } from "../box/process.ts";
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
      if (fact.kind === "process-lost") faulty.add(fact.hostId);
      if (fact.kind === "process-started" && !fact.process.afterFault) faulty.delete(fact.hostId);
      if (fact.kind === "process-stopped") return stopped(fact, truth, evidence.countedEdges());
      if (fact.kind !== "routed" || !evidence.countedEdges().includes(fact.edgeId)) return null;
      return routed(fact, truth, faulty);
    },
  };
};

function stopped(
  { hostId, process }: FactOf<"process-stopped">,
  truth: Truth,
  counted: readonly string[],
): string | null {
  for (const edgeId of truth.edgeIds()) {
    const list = truth.listsOf(edgeId).find(({ members }) => members.some((each) => each.hostId === hostId));
    if (list && counted.includes(edgeId)) {
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
  const before = truth.listsOf(edgeId).filter(({ generation }) => generation !== list.generation);
  for (const { hostId, targetId } of list.members) {
    const known = before.some(({ members }) =>
      members.some((each) => each.hostId === hostId && each.targetId === targetId),
    );
    if (known || faulty.has(hostId) || !truth.hasPath(edgeId, hostId)) continue;
    const why = whyNot(truth.processOf(hostId), targetId, truth.nowMs);
    if (why) return `edge ${edgeId} begins to route to ${hostId} as ${targetId}, where ${why}`;
  }
  return null;
}

/** Why a process does not answer as that target; null where it does. */
function whyNot(process: ServiceProcess | null, targetId: string, nowMs: number): string | null {
  if (!process) return "nothing runs";
  if (process.targetId !== targetId) return `${process.targetId} runs`;
  if (process.stopping) return "it is being stopped";
  return hasBeenWell(process, nowMs) ? null : "it has never answered well";
}
