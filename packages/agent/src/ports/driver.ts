import type { ServiceName, Slot } from "@siding/shared/ids";
import type { StepFailure } from "@siding/shared/report";
import type { Result } from "@siding/shared/result";
import type { Target } from "@siding/shared/target";
import type { FoundProcess } from "../machine/effect.ts";
import type { ProcessExit } from "../machine/event.ts";
import type { ProcessRef } from "../machine/journal.ts";

export interface StartOrder {
  readonly service: ServiceName;
  readonly slot: Slot;
  readonly startId: number;
  readonly target: Target;
  readonly port: number;
  /** The folder that relative paths start in. */
  readonly folder: string;
}

export interface Exited {
  readonly service: ServiceName;
  readonly slot: Slot;
  readonly startId: number;
  readonly exit: ProcessExit;
}

/** Runs services so that they outlive the agent. */
export interface Driver {
  /** This agent's living processes; from here on their ends are noticed. */
  find(known: readonly FoundProcess[]): Promise<readonly FoundProcess[]>;
  /** Errors: `port-in-use`, `start-failed`. */
  start(order: StartOrder): Promise<Result<ProcessRef, StepFailure>>;
  /** Returns when nothing of the process and its children is left. Errors: `stop-failed`. */
  stop(process: ProcessRef, graceMs: number): Promise<Result<null, StepFailure>>;
  /** Calls back once for each end of a process that was started or found. */
  watchExits(callback: (exited: Exited) => void): void;
}
