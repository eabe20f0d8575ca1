import { type Outcome, type RunOptions, run } from "./run.ts";
import { killPoints } from "./scenario/fault.ts";
import { scenarioOf } from "./scenario/generate.ts";
import type { Scenario } from "./scenario/scenario.ts";

/** What one seed is lived with, besides the seed. */
export interface SeedOptions {
  /** Null: 4 to 20, by the seed. */
  readonly hosts: number | null;
  readonly checker: boolean;
  /**
   * Not one run but one for each commit of an undisturbed run, and each point around it: the control plane dies there and
   * starts again.
   */
  readonly crashEveryEvent: boolean;
}

/** A run that failed, and what leads to it again. */
export interface Failing {
  readonly seed: number;
  readonly outcome: Outcome;
  /** Which death of the control plane it was, where every one is tried. */
  readonly kill: string | null;
}

/** The scenario that a seed and its options stand for. */
export function scenarioFor(seed: number, { hosts, crashEveryEvent }: SeedOptions): Scenario {
  return scenarioOf(seed, { hosts, faults: !crashEveryEvent });
}

/** How long the control plane is away, where every death is tried: shorter and longer than a beat. */
const downMs = [40, 12_000] as const;

/** Lives a seed; yields the outcome of each run that this takes. */
export function* outcomesOf(
  seed: number,
  options: SeedOptions,
  more: Omit<RunOptions, "checker"> = {},
): Generator<{ readonly outcome: Outcome; readonly kill: string | null }> {
  const scenario = scenarioFor(seed, options);
  const whole = run(scenario, { checker: options.checker, ...more });
  yield { outcome: whole, kill: null };
  if (!options.crashEveryEvent || whole.verdict) return;
  for (let commit = 1; commit <= whole.commits; commit += 1) {
    for (const point of killPoints) {
      const forMs = downMs[commit % downMs.length] ?? downMs[0];
      const kill = { kind: "control-plane-killed", commit, point, forMs, lasting: true } as const;
      const outcome = run({ ...scenario, faults: [kill] }, { checker: options.checker, ...more });
      yield { outcome, kill: `${point} of commit ${commit}` };
    }
  }
}

/** The first run of a seed that fails; null where all is well. */
export function failureOf(seed: number, options: SeedOptions): Failing | null {
  for (const { outcome, kill } of outcomesOf(seed, options)) {
    if (outcome.verdict) return { seed, outcome, kill };
  }
  return null;
}

/** What a person needs to see it again; null where nothing failed. */
export function told(failing: Failing | null): string | null {
  if (!failing) return null;
  const { seed, kill, outcome } = failing;
  const verdict = outcome.verdict;
  return `seed ${seed}${kill ? ` killed ${kill}` : ""}: ${verdict?.judge} (${verdict?.rule}) at ${verdict?.atMs} ms: ${verdict?.message}`;
}
