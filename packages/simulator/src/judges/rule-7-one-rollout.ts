import type { JudgeMaker } from "./judge.ts";

/** Rule 7: one rollout per service at a time. */
export const oneRollout: JudgeMaker = () => ({
  name: "one-rollout",
  rule: "rule 7",
  observe(fact, _truth, { rollout }) {
    if (fact.kind !== "event" || fact.event.body.type !== "rollout-created") return null;
    if (!rollout || rollout.isFinished) return null;
    return `rollout ${fact.event.body.rollout.id} begins while ${rollout.id} is ${rollout.status}`;
  },
});
