import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { type HookSpec, HostHookName } from "@siding/shared/hooks";
import type { Address, HostId } from "@siding/shared/ids";
import { maxOutputBytes, type StepFailure } from "@siding/shared/report";
import { err, messageOf, ok, type Result } from "@siding/shared/result";
import { formatMs } from "@siding/shared/units";
import { stepFailure } from "../../machine/step-failure.ts";
import type { AdmitOrder } from "../../ports/driver.ts";
import type { HookOrder, Hooks } from "../../ports/hooks.ts";
import { type Account, accountOf } from "../process/account.ts";
import { readEnvFile } from "../process/environment.ts";
import { type Policy, serviceRefusal, userRefusal } from "../process/policy.ts";
import { type ProcessName, parseRef, refOfPid } from "../process/proc.ts";
import { type HookEnvironment, hookEnvironment } from "./environment.ts";
import type { HookLauncher } from "./launcher.ts";
import { redacted } from "./redaction.ts";
import { Tail } from "./tail.ts";

/** More than is reported, since what is masked becomes shorter. */
const keptOutputBytes = 8 * maxOutputBytes;
/** Whoever holds the output open when all of the hook has ended is no part of it. */
const outputSlackMs = 200;

export interface HookProgramsConfig {
  readonly launcher: HookLauncher;
  readonly hostId: HostId;
  /** Where the services listen. */
  readonly address: Address;
  readonly policy: Policy;
  /** From SIGTERM to SIGKILL. */
  readonly killGraceMs: number;
}

interface Started {
  readonly child: ChildProcess;
  readonly leader: ProcessName;
  readonly ended: Promise<Ending>;
  /** Nobody holds its output open any more. */
  readonly closed: Promise<void>;
}

type Ending =
  | { readonly kind: "exit"; readonly code: number | null; readonly signal: string | null }
  | { readonly kind: "timeout" }
  | { readonly kind: "cancelled" };

/** Runs hooks, each to its end and not beyond: what it has started ends with it. */
export class HookPrograms implements Hooks {
  readonly #config: HookProgramsConfig;

  constructor(config: HookProgramsConfig) {
    this.#config = config;
  }

  async admit({ service, target }: AdmitOrder): Promise<Result<null, StepFailure>> {
    const { run, hooks } = target.spec;
    const own = HostHookName.options.flatMap((name) => hooks[name] ?? []);
    for (const hook of own) {
      const account = await this.#accountFor({ service, target }, hook);
      if (!account.ok) return account;
    }
    const needsFile = own.length > 0 && !("unit" in run);
    const variables = readEnvFile(needsFile ? run.envFile : undefined);
    return variables.ok ? ok(null) : variables;
  }

  async run(order: HookOrder, signal: AbortSignal): Promise<Result<null, StepFailure>> {
    const hook = order.target.spec.hooks[order.hook];
    if (hook === undefined) return err({ code: "hook-missing", message: `there is no hook ${order.hook}` });
    const account = await this.#accountFor(order, hook);
    if (!account.ok) return account;
    const environment = hookEnvironment(order, account.value, this.#config);
    if (!environment.ok) return environment;
    const output = new Tail(keptOutputBytes);
    const started = await this.#start(order, hook, environment.value, account.value, output);
    if (!started.ok) return started;
    const ending = await firstOf(started.value, hook.timeoutMs, signal);
    const graceMs = ending.kind === "exit" ? 0 : this.#config.killGraceMs;
    const left = await this.#endAll(order, started.value, graceMs);
    const { secrets } = environment.value;
    const flaw =
      flawOf(hook, ending) ?? (left.ok ? null : { code: "hook-failed", message: left.error.message });
    if (flaw === null) return ok(null);
    const message = redacted(`hook ${order.hook} (${hook.command.join(" ")}) ${flaw.message}`, secrets);
    return err(stepFailure(flaw.code, message, redacted(output.text, secrets).trimEnd()));
  }

  endLeft(): Promise<void> {
    const { launcher, killGraceMs } = this.#config;
    return launcher.endLeft(killGraceMs);
  }

  async #accountFor(
    { service, target }: Pick<AdmitOrder, "service" | "target">,
    { user }: HookSpec,
  ): Promise<Result<Account | null, StepFailure>> {
    const { policy } = this.#config;
    const { run } = target.spec;
    const wanted = user ?? ("unit" in run ? undefined : run.user);
    const refusal = serviceRefusal(policy, service) ?? userRefusal(policy, wanted);
    return refusal === null ? accountOf(wanted ?? policy.runAs) : err(refusal);
  }

  #start(
    order: HookOrder,
    hook: HookSpec,
    { variables, secrets }: HookEnvironment,
    account: Account | null,
    output: Tail,
  ): Promise<Result<Started, StepFailure>> {
    const { launcher } = this.#config;
    return new Promise((resolve) => {
      const refuse = (cause: unknown) => {
        const message = `hook ${order.hook}: ${hook.command[0]} could not be started in ${order.folder}: ${messageOf(cause)}`;
        resolve(err(stepFailure("hook-not-started", redacted(message, secrets))));
      };
      try {
        const spawned = launcher.prepare({ order, command: hook.command, variables, account });
        const child = spawn(spawned.program, spawned.args, {
          ...spawned.options,
          cwd: order.folder,
          // A session of its own: signals to the agent's group are not for it.
          detached: true,
          stdio: ["ignore", "pipe", "pipe"],
        });
        child.stdout.on("data", (chunk: Buffer) => output.add(chunk));
        child.stderr.on("data", (chunk: Buffer) => output.add(chunk));
        const started = followed(child);
        child.once("error", refuse);
        child.once("spawn", () => resolve(ok(started)));
      } catch (cause) {
        refuse(cause);
      }
    });
  }

  async #endAll(
    order: HookOrder,
    { child, leader, closed }: Started,
    graceMs: number,
  ): Promise<Result<null, StepFailure>> {
    const ended = await this.#config.launcher.end(order, leader, graceMs);
    await Promise.race([closed, sleep(outputSlackMs)]);
    child.stdout?.destroy();
    child.stderr?.destroy();
    return ended;
  }
}

/** Listened to from its start: it may end before anybody waits for that. */
function followed(child: ChildProcess): Started {
  const pid = child.pid ?? Number.NaN;
  const ended = new Promise<Ending>((resolve) => {
    child.once("exit", (code, signal) => resolve({ kind: "exit", code, signal }));
  });
  const closed = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
  });
  const leader = parseRef(refOfPid(pid) ?? "") ?? { pid, startTicks: "gone", bootId: "gone" };
  return { child, leader, ended, closed };
}

/** Its end, or what comes before that. */
async function firstOf({ ended }: Started, timeoutMs: number, signal: AbortSignal): Promise<Ending> {
  const over = new AbortController();
  const either = AbortSignal.any([over.signal, signal]);
  const late = sleep(timeoutMs, { kind: "timeout" } as const, { signal: either }).catch(
    () => ({ kind: "cancelled" }) as const,
  );
  const first = await Promise.race([ended, late]);
  over.abort();
  return first;
}

/** What is wrong with an end; null where it is a good one. */
function flawOf({ timeoutMs }: HookSpec, ending: Ending): StepFailure | null {
  switch (ending.kind) {
    case "timeout": {
      const message = `did not end within ${formatMs(timeoutMs)} and was ended, with all that it had started`;
      return { code: "hook-timeout", message };
    }
    case "cancelled":
      return { code: "hook-cancelled", message: "was ended: nobody waits for it any more" };
    case "exit": {
      if (ending.code === 0) return null;
      const how = ending.signal === null ? `with exit code ${ending.code}` : `by ${ending.signal}`;
      return { code: "hook-failed", message: `ended ${how}` };
    }
  }
}
