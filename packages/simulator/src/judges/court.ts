import type { LedgerEvent } from "@siding/control-plane/ledger/event";
import { Evidence } from "../evidence/evidence.ts";
import type { Fact } from "../fact.ts";
import type { Truth } from "../truth.ts";
import { behindFleet } from "./behind-fleet.ts";
import { checkerRefused } from "./checker.ts";
import { clock } from "./clock.ts";
import { explained } from "./explained.ts";
import { identity } from "./identity.ts";
import type { Judge, Verdict } from "./judge.ts";
import { lostRequest } from "./lost-request.ts";
import { minimum } from "./rule-1-minimum.ts";
import { verified } from "./rule-2-verified.ts";
import { drained } from "./rule-3-drained.ts";
import { confirmed } from "./rule-4-confirmed.ts";
import { subtracts } from "./rule-5-subtracts.ts";
import { silence } from "./rule-6-silence.ts";
import { oneRollout } from "./rule-7-one-rollout.ts";
import { holds } from "./rule-8-holds.ts";
import { rest } from "./rule-8-rest.ts";
import { rolledBack } from "./rule-9-rolled-back.ts";
import { hooksOnce } from "./rule-10-hooks.ts";
import { once } from "./rule-10-once.ts";
import { restarts } from "./rule-10-restarts.ts";
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
  holds,
  rolledBack,
  once,
  hooksOnce,
  restarts,
  budget,
  behindFleet,
  identity,
  explained,
  clock,
];

/** Puts every fact before every judge. The first verdict ends the run. */
export class Court {
  #evidence = new Evidence();
  readonly #judges: readonly Judge[] = judges.map((make) => make());
  #verdict: Verdict | null = null;

  get evidence(): Evidence {
    return this.#evidence;
  }

  get verdict(): Verdict | null {
    return this.#verdict;
  }

  hear(fact: Fact, truth: Truth): void {
    if (this.#verdict) return;
    if (fact.kind === "ledger-restored") this.#readAgain(fact.kept);
    for (const judge of this.#judges) {
      const message = judge.observe(fact, truth, this.#evidence);
      if (message === null) continue;
      this.#verdict = { judge: judge.name, rule: judge.rule, atMs: truth.nowMs, message };
      return;
    }
    if (fact.kind === "event") this.#evidence.take(fact.event);
  }

  /** The log is another one from here on: what it said after the backup was never said. */
  #readAgain(kept: readonly LedgerEvent[]): void {
    const before = this.#evidence;
    this.#evidence = new Evidence();
    for (const event of kept) this.#evidence.take(event);
    for (const rollout of this.#evidence.rollouts.values()) rollout.isFromBackup = true;
    // An edge that was left out by hand since goes on with whatever it has, until it is told anew.
    for (const [name, service] of before.services) {
      for (const { edgeId, isExcluded } of service.edges.values()) {
        const edge = isExcluded ? this.#evidence.services.get(name)?.edge(edgeId) : undefined;
        if (edge) edge.countedSince = null;
      }
    }
  }
}
