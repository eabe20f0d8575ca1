import type { LedgerEvent } from "@siding/control-plane/ledger/event";
import type { HostId } from "@siding/shared/ids";
import type { RolloutEvidence } from "../evidence/rollout-evidence.ts";
import type { ServiceEvidence } from "../evidence/service-evidence.ts";
import type { Truth } from "../truth.ts";
import type { JudgeMaker } from "./judge.ts";

/**
 * Rule 9: when a rollout says that it is rolled back, every instance that it changed runs and is listed as what it came
 * from; otherwise it has failed and names the rest.
 */
export const rolledBack: JudgeMaker = () => ({
  name: "rolled-back",
  rule: "rule 9",
  observe(fact, truth, evidence) {
    if (fact.kind !== "event" || fact.event.body.type !== "rollout-finished") return null;
    const { body } = fact.event;
    const rollout = evidence.rollouts.get(body.rolloutId);
    const service = evidence.serviceOf(body);
    return rollout && service ? judged(body, rollout, service, truth) : null;
  },
});

function judged(
  { status, cause }: Extract<LedgerEvent["body"], { type: "rollout-finished" }>,
  rollout: RolloutEvidence,
  service: ServiceEvidence,
  truth: Truth,
): string | null {
  if (rollout.planKind !== "rollback") return null;
  for (const hostId of rollout.touched) {
    // What came from nowhere has nowhere to go back to; what can't be commanded is caught up with later.
    if (!rollout.from.get(hostId) || rollout.leftAside.has(hostId) || truth.isCloned(hostId)) continue;
    const where = whereElse(hostId, rollout, service, truth);
    if (!where) continue;
    if (status === "rolled-back") return `it is said to be rolled back, and ${hostId} ${where}`;
    if (status === "failed" && !cause?.message.includes(hostId))
      return `${hostId} ${where}, and is not named`;
  }
  return null;
}

/** Why a host can't be said to be back; null where it is. */
function whereElse(
  hostId: HostId,
  rollout: RolloutEvidence,
  service: ServiceEvidence,
  truth: Truth,
): string | null {
  const from = rollout.from.get(hostId) ?? null;
  const listed = service.wanted.members.find((member) => member.hostId === hostId);
  if (listed?.targetId !== from) return `is ${listed ? `listed as ${listed.targetId}` : "not listed"}`;
  const process = truth.processOf(hostId, service.name);
  return process && process.targetId !== from ? `runs ${process.targetId}` : null;
}
