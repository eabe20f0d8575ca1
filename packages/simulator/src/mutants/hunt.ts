import type { Core } from "@siding/control-plane/orchestrator/decide";
import type { Verdict } from "../judges/judge.ts";
import { run } from "../run.ts";
import { scenarioOf } from "../scenario/generate.ts";

export interface Catch {
  readonly seed: number;
  readonly verdict: Verdict;
}

/** Tries seeds in order until a judge objects to the core; null where none does within `seeds`. */
export function hunt(advance: Core["advance"], checker: boolean, seeds: number): Catch | null {
  for (let seed = 1; seed <= seeds; seed += 1) {
    const { verdict } = run(scenarioOf(seed, { hosts: null, faults: true }), { advance, checker });
    if (verdict) return { seed, verdict };
  }
  return null;
}
