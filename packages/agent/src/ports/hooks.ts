import type { ServiceName, Slot } from "@siding/shared/ids";
import type { StepFailure } from "@siding/shared/report";
import type { Result } from "@siding/shared/result";
import type { HookCall } from "../machine/effect.ts";
import type { AdmitOrder } from "./driver.ts";

export interface HookOrder extends HookCall {
  readonly service: ServiceName;
  readonly slot: Slot;
  /** The folder of the target's release: it starts there. */
  readonly folder: string;
}

/** Runs the programs that a target wants run at the points of a rollout. */
export interface Hooks {
  /**
   * Whether this host would run the target's hooks, asked before anything is changed for it. Errors:
   * `service-not-allowed`, `user-not-allowed`, `user-missing`, `env-file-missing`.
   */
  admit(order: AdmitOrder): Promise<Result<null, StepFailure>>;
  /**
   * Runs one to its end, to its timeout's or to the abort's; returns when nothing of it and its children is left.
   * Errors, with the end of its output: `hook-failed`, `hook-timeout`, `hook-not-started`, `hook-cancelled`, and those
   * of `admit`.
   */
  run(order: HookOrder, signal: AbortSignal): Promise<Result<null, StepFailure>>;
  /** Ends what an agent that has died had begun: nobody will ever hear its end. */
  endLeft(): Promise<void>;
}
