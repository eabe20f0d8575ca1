import type { ServiceName, Slot } from "@siding/shared/ids";
import type { StepFailure } from "@siding/shared/report";
import type { Result } from "@siding/shared/result";
import type { Target } from "@siding/shared/target";
import type { FoundProcess } from "../machine/effect.ts";
import type { ProcessExit } from "../machine/event.ts";
import type { ProcessRef } from "../machine/journal.ts";

export interface AdmitOrder {
  readonly service: ServiceName;
  readonly slot: Slot;
  readonly target: Target;
}

export interface StartOrder extends AdmitOrder {
  readonly startId: number;
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
  /**
   * Whether this host would run the target, asked before anything is changed for it. Errors, each with its name in the
   * message: `service-not-allowed`, `unit-not-allowed`, `user-not-allowed` (the agent's own config decides);
   * `unit-needs-systemd`, `unit-missing`, `unit-masked`, `unit-broken`, `unit-edited`, `unit-unfit`, `user-missing`,
   * `env-file-missing`.
   */
  admit(order: AdmitOrder): Promise<Result<null, StepFailure>>;
  /** This agent's living processes; from here on their ends are noticed. */
  find(known: readonly FoundProcess[]): Promise<readonly FoundProcess[]>;
  /** Errors: `port-in-use`, `start-failed`. */
  start(order: StartOrder): Promise<Result<ProcessRef, StepFailure>>;
  /** Returns when nothing of the process and its children is left. Errors: `stop-failed`. */
  stop(process: ProcessRef, graceMs: number): Promise<Result<null, StepFailure>>;
  /** Calls back once for each end of a process that was started or found. */
  watchExits(callback: (exited: Exited) => void): void;
}
