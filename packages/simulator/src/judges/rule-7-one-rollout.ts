import type { LedgerEvent } from "@siding/control-plane/ledger/event";
import type { ServiceEvidence } from "../evidence/service-evidence.ts";
import type { Truth } from "../truth.ts";
import type { JudgeMaker } from "./judge.ts";

type Began = Extract<LedgerEvent["body"], { type: "rollout-created" | "rollout-started" }>;

/**
 * Rule 7: one rollout per service at a time. Another one waits in the queue, one at most, where the latest wins; when its
 * turn comes its plan is made for the fleet as it is then. What the fleet does of itself gives way to a person.
 */
export const oneRollout: JudgeMaker = () => ({
  name: "one-rollout",
  rule: "rule 7",
  observe(fact, truth, evidence) {
    if (fact.kind !== "event") return null;
    const { body } = fact.event;
    if (body.type !== "rollout-created" && body.type !== "rollout-started") return null;
    const service = evidence.services.get(body.rollout.service);
    return service ? (crowded(body, service) ?? untimely(body, service, truth)) : null;
  },
});

function crowded({ type, rollout }: Began, service: ServiceEvidence): string | null {
  const { rollout: running, queued } = service;
  const isBusy = running !== null && !running.isFinished;
  if (rollout.status === "queued") {
    if (queued) return `rollout ${rollout.id} is queued beside ${queued.id}`;
    return isBusy ? null : `rollout ${rollout.id} is queued, and there is nothing to wait for`;
  }
  if (isBusy) return `rollout ${rollout.id} begins while ${running.id} is ${running.status}`;
  if (type === "rollout-started" && queued?.id !== rollout.id) {
    return `rollout ${rollout.id} begins from a queue in which ${queued?.id ?? "nobody"} waits`;
  }
  const jumps = type === "rollout-created" && queued !== null;
  return jumps ? `rollout ${rollout.id} begins while ${queued.id} waits for its turn` : null;
}

/**
 * A plan is for the fleet at this instant: for nobody whom a person holds, or who serves that already and is not to be
 * restarted.
 */
function untimely({ rollout }: Began, service: ServiceEvidence, truth: Truth): string | null {
  if (rollout.status === "queued" || rollout.origin === "reconciler") return null;
  for (const { hostId, goal, restart } of rollout.plan.hosts) {
    const hold = service.hold(hostId);
    if (hold) return `rollout ${rollout.id} begins with ${hostId} in its plan, which is ${hold} by hand`;
    const member = service.wanted.members.find((each) => each.hostId === hostId);
    const done =
      restart !== true &&
      member !== undefined &&
      member.targetId === goal?.id &&
      service.served.get(hostId) === goal.id &&
      service.instance(hostId)?.report?.running === goal.id;
    if (done && truth.addressOf(hostId) === member.address) {
      return `rollout ${rollout.id} begins with ${hostId} in its plan, which serves ${goal.id} already`;
    }
  }
  return null;
}
