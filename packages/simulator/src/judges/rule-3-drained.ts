import type { Evidence } from "../evidence/evidence.ts";
import type { FactOf } from "../fact.ts";
import type { Truth } from "../truth.ts";
import type { JudgeMaker } from "./judge.ts";

/**
 * Rule 3: a process is stopped only when nothing of the edges is in flight on it, or its drain deadline has passed under
 * `proceed`.
 */
export const drained: JudgeMaker = () => {
  /** By host and service. */
  const drainSaidAtMs = new Map<string, number>();
  return {
    name: "drained",
    rule: "rule 3",
    observe(fact, truth, evidence) {
      if (fact.kind === "event" && fact.event.body.type === "command-issued") {
        const { hostId, service, body } = fact.event.body;
        if (body.kind === "drain") drainSaidAtMs.set(`${hostId}/${service}`, truth.nowMs);
      }
      if (fact.kind !== "process-stopped" || truth.isCloned(fact.hostId)) return null;
      const saidAtMs = drainSaidAtMs.get(`${fact.hostId}/${fact.process.service}`) ?? null;
      return judged(fact, saidAtMs, truth, evidence);
    },
  };
};

function judged(
  { hostId, process }: FactOf<"process-stopped">,
  saidAtMs: number | null,
  truth: Truth,
  evidence: Evidence,
): string | null {
  const edges = evidence.services.get(process.service)?.countedEdges() ?? [];
  const inFlight = truth.inFlight(hostId, process.service, edges);
  if (inFlight === 0) return null;
  const drain = evidence.host(hostId).of(process.service).drainIssued?.body.target.spec.drain;
  const passed = drain && saidAtMs !== null && truth.nowMs - saidAtMs >= drain.deadlineMs;
  if (passed && drain.onDeadline === "proceed") return null;
  return `${hostId} stops ${process.ref} with ${inFlight} requests of counted edges in flight`;
}
