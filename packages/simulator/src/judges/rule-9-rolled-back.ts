import type { LedgerEvent } from "@siding/control-plane/ledger/event";
import type { HostId } from "@siding/shared/ids";
import type { Truth } from "../truth.ts";
import type { Evidence } from "./evidence.ts";
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
    return judged(fact.event.body, truth, evidence);
  },
});

function judged(
  { status, cause }: Extract<LedgerEvent["body"], { type: "rollout-finished" }>,
  truth: Truth,
  evidence: Evidence,
): string | null {
  const { rollout } = evidence;
  if (rollout?.planKind !== "rollback") return null;
  for (const hostId of rollout.touched) {
    // What came from nowhere has nowhere to go back to; what can't be commanded is caught up with later.
    if (!rollout.from.get(hostId) || rollout.leftAside.has(hostId)) continue;
    const where = whereElse(hostId, truth, evidence);
    if (!where) continue;
    if (status === "rolled-back") return `it is said to be rolled back, and ${hostId} ${where}`;
    if (status === "failed" && !cause?.message.includes(hostId))
      return `${hostId} ${where}, and is not named`;
  }
  return null;
}

/** Why a host can't be said to be back; null where it is. */
function whereElse(hostId: HostId, truth: Truth, evidence: Evidence): string | null {
  const from = evidence.rollout?.from.get(hostId) ?? null;
  const listed = evidence.wanted.members.find((member) => member.hostId === hostId);
  if (listed?.targetId !== from) return `is ${listed ? `listed as ${listed.targetId}` : "not listed"}`;
  const process = truth.processOf(hostId);
  return process && process.targetId !== from ? `runs ${process.targetId}` : null;
}
