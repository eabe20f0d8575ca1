import type { Verdict } from "../judges/judge.ts";
import type { Brain } from "../plane/brain.ts";
import { run } from "../run.ts";
import { scenarioOf } from "../scenario/generate.ts";

export interface Catch {
  readonly seed: number;
  readonly verdict: Verdict;
}

/** Small fleets: a mistake shows there as well, and many more can be tried. */
const hosts = 6;

/** Tries seeds in order until one of these judges objects to the core; null where none does within `seeds`. */
export function hunt(
  brain: Brain,
  { checker, judges, seeds }: { checker: boolean; judges: readonly string[]; seeds: number },
): Catch | null {
  for (let seed = 1; seed <= seeds; seed += 1) {
    const { verdict } = run(scenarioOf(seed, { hosts, faults: true }), { brain, checker });
    if (verdict && judges.includes(verdict.judge)) return { seed, verdict };
  }
  return null;
}
