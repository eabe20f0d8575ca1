import type { Fact } from "../fact.ts";
import type { Truth } from "../truth.ts";
import { checkerRefused } from "./checker.ts";
import { Evidence } from "./evidence.ts";
import type { Judge, Verdict } from "./judge.ts";
import { lostRequest } from "./lost-request.ts";
import { minimum } from "./rule-1-minimum.ts";
import { verified } from "./rule-2-verified.ts";
import { drained } from "./rule-3-drained.ts";
import { confirmed } from "./rule-4-confirmed.ts";
import { subtracts } from "./rule-5-subtracts.ts";
import { silence } from "./rule-6-silence.ts";
import { oneRollout } from "./rule-7-one-rollout.ts";
import { rest } from "./rule-8-rest.ts";
import { rolledBack } from "./rule-9-rolled-back.ts";
import { hooksOnce } from "./rule-10-hooks.ts";
import { once } from "./rule-10-once.ts";
import { budget } from "./rule-11-budget.ts";

const judges = [
  checkerRefused,
  lostRequest,
  minimum,
  verified,
  drained,
  confirmed,
  subtracts,
  silence,
  oneRollout,
  rest,
  rolledBack,
  once,
  hooksOnce,
  budget,
];

/** Puts every fact before every judge. The first verdict ends the run. */
export class Court {
  readonly evidence = new Evidence();
  readonly #judges: readonly Judge[] = judges.map((make) => make());
  #verdict: Verdict | null = null;

  get verdict(): Verdict | null {
    return this.#verdict;
  }

  hear(fact: Fact, truth: Truth): void {
    if (this.#verdict) return;
    for (const judge of this.#judges) {
      const message = judge.observe(fact, truth, this.evidence);
      if (message === null) continue;
      this.#verdict = { judge: judge.name, rule: judge.rule, atMs: truth.nowMs, message };
      return;
    }
    if (fact.kind === "event") this.evidence.take(fact.event);
  }
}
