import type { Target } from "@siding/shared/target";
import type { InstanceRef } from "../machine/effect.ts";
import type { ProbeAnswer } from "../machine/event.ts";
import type { ProcessRef } from "../machine/journal.ts";

/** A health command, and the process that it judges. */
export interface CheckOrder extends InstanceRef {
  readonly target: Target;
  readonly port: number;
  readonly process: ProcessRef;
  /** The folder that relative paths start in. */
  readonly folder: string;
  readonly command: readonly string[];
  readonly timeoutMs: number;
}

/** Runs a health command once. Always answers; never two at once for one instance. */
export type RunCheck = (order: CheckOrder) => Promise<ProbeAnswer>;
