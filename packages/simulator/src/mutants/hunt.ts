import type { Verdict } from "../judges/judge.ts";
import type { Brain } from "../plane/brain.ts";
import { run } from "../run.ts";
import { scenarioOf } from "../scenario/generate.ts";

export interface Catch {
  readonly seed: number;
  readonly verdict: Verdict;
}

/** Tries seeds in order until a judge objects to the core; null where none does within `seeds`. */
export function hunt(brain: Brain, checker: boolean, seeds: number): Catch | null {
  for (let seed = 1; seed <= seeds; seed += 1) {
    const { verdict } = run(scenarioOf(seed, { hosts: null, faults: true }), { brain, checker });
    if (verdict) return { seed, verdict };
  }
  return null;
}
