import type { JudgeMaker } from "./judge.ts";

/** The production checker refused a decision: the core wanted to break a rule. */
export const checkerRefused: JudgeMaker = () => ({
  name: "checker",
  rule: "rule-broken",
  observe(fact) {
    if (fact.kind !== "event" || fact.event.body.type !== "intent-set") return null;
    const { cause } = fact.event.body;
    return cause?.code === "rule-broken" ? cause.message : null;
  },
});
