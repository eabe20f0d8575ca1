import type { HostId } from "@siding/shared/ids";
import type { JudgeMaker } from "./judge.ts";

/**
 * Rule 3: a process is stopped only when nothing of the edges is in flight on it, or its drain deadline has passed under
 * `proceed`.
 */
export const drained: JudgeMaker = () => {
  const drainSaidAtMs = new Map<HostId, number>();
  return {
    name: "drained",
    rule: "rule 3",
    observe(fact, truth, evidence) {
      if (fact.kind === "event" && fact.event.body.type === "command-issued") {
        const { hostId, body } = fact.event.body;
        if (body.kind === "drain") drainSaidAtMs.set(hostId, truth.nowMs);
      }
      if (fact.kind !== "process-stopped") return null;
      const inFlight = truth.inFlight(fact.hostId);
      if (inFlight === 0) return null;
      const drain = evidence.host(fact.hostId).drainIssued?.body.target.spec.drain;
      const saidAtMs = drainSaidAtMs.get(fact.hostId);
      const passed = drain && saidAtMs !== undefined && truth.nowMs - saidAtMs >= drain.deadlineMs;
      if (passed && drain.onDeadline === "proceed") return null;
      return `${fact.hostId} stops ${fact.process.ref} with ${inFlight} requests of edges in flight`;
    },
  };
};
