import type { Evidence } from "../evidence/evidence.ts";
import type { Fact } from "../fact.ts";
import type { Truth } from "../truth.ts";

/**
 * Watches one rule of design section 2. It is told every fact in order and says what is wrong, or null. It looks at what
 * really is and at the log, and shares no logic with the core.
 */
export interface Judge {
  readonly name: string;
  readonly rule: string;
  observe(fact: Fact, truth: Truth, evidence: Evidence): string | null;
}

/** Makes a judge for one run; its memory ends with that. */
export type JudgeMaker = () => Judge;

/** A rule was broken. */
export interface Verdict {
  readonly judge: string;
  readonly rule: string;
  readonly atMs: number;
  readonly message: string;
}
