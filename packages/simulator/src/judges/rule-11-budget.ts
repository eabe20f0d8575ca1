import type { JudgeMaker } from "./judge.ts";

/** Rule 11: the failure budget counts over the whole rollout; beyond it nobody else is taken out on the way forward. */
export const budget: JudgeMaker = () => ({
  name: "budget",
  rule: "rule 11",
  observe(fact, _truth, evidence) {
    if (fact.kind !== "event" || fact.event.body.type !== "batch-started") return null;
    const rollout = evidence.rollouts.get(fact.event.body.rolloutId);
    if (rollout?.planKind !== "forward") return null;
    const allowed = Math.max(rollout.maxFailures, rollout.accepted);
    if (rollout.failed.size <= allowed) return null;
    const who = [...rollout.failed].join(", ");
    return `${fact.event.body.hosts.join(", ")} leave after ${rollout.failed.size} failures (${who}); ${allowed} are allowed`;
  },
});
