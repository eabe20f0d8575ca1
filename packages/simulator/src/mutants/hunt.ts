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

export interface Hunt {
  readonly checker: boolean;
  readonly judges: readonly string[];
  readonly seeds: number;
  /** This seed is tried before all others. */
  readonly first?: number | undefined;
}

/** Tries seeds in order until one of these judges objects to the core; null where none does within `seeds`. */
export function hunt(brain: Brain, { checker, judges, seeds, first }: Hunt): Catch | null {
  const inOrder = Array.from({ length: seeds }, (_, index) => index + 1);
  for (const seed of first === undefined ? inOrder : [first, ...inOrder]) {
    const { verdict } = run(scenarioOf(seed, { hosts, faults: true }), { brain, checker });
    if (verdict && judges.includes(verdict.judge)) return { seed, verdict };
  }
  return null;
}
