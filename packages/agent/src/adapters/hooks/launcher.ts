import type { SpawnOptions } from "node:child_process";
import type { StepFailure } from "@siding/shared/report";
import type { Result } from "@siding/shared/result";
import type { HookOrder } from "../../ports/hooks.ts";
import type { Account } from "../process/account.ts";
import type { ProcessName } from "../process/proc.ts";

/** One hook that is to be started. */
export interface Launch {
  readonly order: HookOrder;
  readonly command: readonly string[];
  readonly variables: NodeJS.ProcessEnv;
  /** Null: whoever the agent is. */
  readonly account: Account | null;
}

/** What the agent spawns for it; its output and its end are those of the hook. */
export interface Spawned {
  readonly program: string;
  readonly args: readonly string[];
  readonly options: Pick<SpawnOptions, "env" | "uid" | "gid">;
}

/** How a hook's program is started, and how it is ended with all that it has started. */
export interface HookLauncher {
  prepare(launch: Launch): Spawned;
  /** SIGTERM, the grace, SIGKILL. Returns when nothing of it is left. Errors: `stop-failed`. */
  end(order: HookOrder, leader: ProcessName, graceMs: number): Promise<Result<null, StepFailure>>;
  /** Ends what an agent that has died had begun. */
  endLeft(graceMs: number): Promise<void>;
}
