import { existsSync } from "node:fs";
import type { Address } from "@siding/shared/ids";
import type { InstanceRef } from "../../machine/effect.ts";
import type { ProbeAnswer } from "../../machine/event.ts";
import type { CheckOrder } from "../../ports/checks.ts";
import { CheckQueue } from "./check-queue.ts";
import { endStrays } from "./ending.ts";
import { basePath, readEnvFile, serviceEnvironment } from "./environment.ts";
import { checkMarkerOf, leftByChecks } from "./marker.ts";
import { environOf, idsOf, isAlive, parseRef, refOfPid } from "./proc.ts";
import { type ProgramEnd, startProgram } from "./program.ts";

/** So many run at once on a host: they are to look after the services, not to weigh on them. */
const runsAtOnce = 4;
/** What has left the group of a run that ended well is looked for this often: that looks at every process. */
const sweepEveryMs = 10_000;

/** What systemd says to the service's own process alone. */
const notForOthers = /^(NOTIFY_SOCKET|WATCHDOG_\w+|LISTEN_\w+|JOURNAL_STREAM|INVOCATION_ID|MAINPID)$/;
const variableName = /^[A-Za-z_][A-Za-z0-9_]*$/;

export interface CommandChecksConfig {
  /** Marks the runs as this agent's: its data folder. */
  readonly owner: string;
  readonly address: Address;
}

/**
 * Runs health commands beside the services: as the user of the service's process, with its environment, in the folder of
 * its release; one at a time for an instance, and few at once for the host.
 */
export class CommandChecks {
  readonly #config: CommandChecksConfig;
  readonly #queue = new CheckQueue(runsAtOnce);
  /** By instance: a run that could not be killed, as its process is named. */
  readonly #stuck = new Map<string, string>();
  #sweptAtMs = 0;

  constructor(config: CommandChecksConfig) {
    this.#config = config;
  }

  /** Answers always. A run of the same instance that is still under way is ended first. */
  run(order: CheckOrder): Promise<ProbeAnswer> {
    const { timeoutMs } = order;
    return this.#queue.take(keyOf(order), (turn) => {
      const prepared = this.#prepare(order);
      if ("kind" in prepared) return Promise.resolve(prepared);
      const program = startProgram({ ...prepared, command: order.command, timeoutMs });
      turn.onGivenUp(program.kill);
      return program.ended.then((end) => this.#answerTo(order, end));
    });
  }

  /** Ends what runs. */
  close(): void {
    this.#queue.close();
  }

  #prepare(order: CheckOrder) {
    const stuck = this.#stuckPid(order);
    if (stuck !== null) return error(`pid ${stuck} of the last run does not end, not by SIGKILL either`);
    const name = parseRef(order.process);
    const ids = name !== null && isAlive(name) ? idsOf(name.pid) : null;
    if (name === null || ids === null) return error("the service's process is gone");
    const fromFile = readEnvFile(
      "envFile" in order.target.spec.run ? order.target.spec.run.envFile : undefined,
    );
    if (!fromFile.ok) return error(fromFile.error.message);
    const isOwn = ids.uid === process.geteuid?.() && ids.gid === process.getegid?.();
    return {
      folder: existsSync(order.folder) ? order.folder : "/",
      env: this.#environment(order, name.pid, fromFile.value),
      ids: isOwn ? null : ids,
    };
  }

  /** What the process was started with; what it may have written over is said once more. */
  #environment(order: CheckOrder, pid: number, fromFile: NodeJS.Dict<string>): NodeJS.ProcessEnv {
    const { run } = order.target.spec;
    const own = [...(environOf(pid) ?? [])].filter(
      ([name]) => variableName.test(name) && !notForOthers.test(name),
    );
    return {
      PATH: basePath,
      LANG: "C.UTF-8",
      ...Object.fromEntries(own),
      ...fromFile,
      ...("env" in run ? run.env : {}),
      ...serviceEnvironment(order, this.#config.address),
      ...checkMarkerOf(this.#config.owner, order),
    };
  }

  #answerTo(order: CheckOrder, end: ProgramEnd): ProbeAnswer {
    this.#sweepAfter(order, end);
    switch (end.kind) {
      case "exit":
        return end.code === 0 ? { ...end, output: "" } : end;
      case "timeout":
        return end;
      case "stuck":
        this.#stuck.set(keyOf(order), refOfPid(end.pid) ?? "");
        return { kind: "timeout" };
      case "not-started":
        return error(`${order.command[0]} could not be started: ${end.message}`);
    }
  }

  /** One that forks and leaves its group would pile up, run by run. */
  #sweepAfter(order: CheckOrder, end: ProgramEnd): void {
    const nowMs = performance.now();
    if (end.kind === "exit" && nowMs - this.#sweptAtMs < sweepEveryMs) return;
    if (end.kind === "not-started") return;
    this.#sweptAtMs = nowMs;
    endStrays(leftByChecks(this.#config.owner, order), this.#config.owner);
  }

  #stuckPid(order: CheckOrder): number | null {
    const name = parseRef(this.#stuck.get(keyOf(order)) ?? "");
    if (name !== null && isAlive(name)) return name.pid;
    this.#stuck.delete(keyOf(order));
    return null;
  }
}

/** Ends what the runs of an earlier agent have left: ours would be second ones beside them. */
export function endForgottenChecks(owner: string): void {
  endStrays(leftByChecks(owner, null), owner);
}

function keyOf({ service, slot }: InstanceRef): string {
  return `${service}/${slot}`;
}

function error(message: string) {
  return { kind: "error", message } as const;
}
