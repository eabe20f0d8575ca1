import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { StepFailure } from "@siding/shared/report";
import { err, ok, type Result } from "@siding/shared/result";
import { formatMs } from "@siding/shared/units";
import type { HookOrder } from "../../ports/hooks.ts";
import type { HookLauncher, Launch, Spawned } from "../hooks/launcher.ts";
import { endGroup } from "../process/ending.ts";
import { basePath } from "../process/environment.ts";
import type { ProcessName } from "../process/proc.ts";
import { systemctl } from "./programs.ts";
import { environmentText } from "./unit-files.ts";
import { isOver, stateOf } from "./unit-state.ts";

/** Above the grace: SIGKILL, and a kernel that is slow about it. */
const stopSlackMs = 15_000;

/**
 * Hooks as transient units: outside of the agent's own sandbox, as services are, and ended by systemd with everything
 * that they have started. An instance runs one at a time, so that its name is the unit's.
 */
export class UnitLauncher implements HookLauncher {
  readonly #runDir: string;
  readonly #killGraceMs: number;

  /** @param runDir the agent's own folder below /run */
  constructor(runDir: string, killGraceMs: number) {
    this.#runDir = runDir;
    this.#killGraceMs = killGraceMs;
  }

  prepare({ order, command, variables, account }: Launch): Spawned {
    const envFile = this.#envFileOf(order);
    mkdirSync(this.#runDir, { recursive: true });
    // Not on the command line, and not in what `systemctl show` tells everybody.
    writeFileSync(envFile, environmentText(definedOnly(variables)), { mode: 0o600 });
    const properties = [
      `EnvironmentFile=${envFile}`,
      "KillMode=control-group",
      `TimeoutStopSec=${this.#killGraceMs}ms`,
    ];
    const args = [
      ...["--quiet", "--wait", "--pipe", "--collect", "--service-type=exec"],
      ...[`--unit=${unitOfHook(order)}`, `--working-directory=${order.folder}`],
      ...properties.map((property) => `--property=${property}`),
      ...(account === null ? [] : [`--uid=${account.uid}`]),
      "--",
      // systemd would put variables in.
      ...command.map((word) => word.replaceAll("$", "$$$$")),
    ];
    // Where it looks for the program; a relative one is looked for in the folder that it is started in.
    const env = { PATH: variables.PATH ?? basePath, LANG: "C.UTF-8" };
    return { program: "systemd-run", args, options: { env } };
  }

  async end(order: HookOrder, leader: ProcessName, graceMs: number): Promise<Result<null, StepFailure>> {
    const unit = unitOfHook(order);
    const deadlineMs = this.#killGraceMs + stopSlackMs;
    const stopped = await systemctl(["stop", "--", unit], deadlineMs);
    const state = await stateOf(unit);
    await endGroup(leader, graceMs);
    rmSync(this.#envFileOf(order), { force: true });
    if (isOver(state)) return ok(null);
    const message = `${unit} did not end within ${formatMs(deadlineMs)}: ${stopped.complaint}`;
    return err({ code: "stop-failed", message });
  }

  async endLeft(): Promise<void> {
    await systemctl(["stop", "--", "siding-hook-*.service"], this.#killGraceMs + stopSlackMs);
  }

  #envFileOf({ service, slot }: HookOrder): string {
    return join(this.#runDir, `hook-${service}-${slot}.env`);
  }
}

function unitOfHook({ service, slot }: HookOrder): string {
  return `siding-hook-${service}-${slot}.service`;
}

function definedOnly(variables: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
