import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { homedir } from "node:os";
import type { Address } from "@siding/shared/ids";
import type { StepFailure } from "@siding/shared/report";
import { err, messageOf, ok, type Result } from "@siding/shared/result";
import type { CommandRun } from "@siding/shared/target";
import type { FoundProcess } from "../../machine/effect.ts";
import type { ProcessExit } from "../../machine/event.ts";
import type { ProcessRef } from "../../machine/journal.ts";
import type { AdmitOrder, Driver, Exited, StartOrder } from "../../ports/driver.ts";
import { lastingListenerOn } from "../network/listener.ts";
import { type Account, accountOf } from "./account.ts";
import { endGroup, endStrays } from "./ending.ts";
import { basePath, readEnvFile, serviceEnvironment } from "./environment.ts";
import { bearersOf, markedLeaders, markerOf, straysOf } from "./marker.ts";
import { Output } from "./output.ts";
import { type Policy, refusalOf } from "./policy.ts";
import { isAlive, membersOfGroup, parseRef, refOfPid } from "./proc.ts";

/** Ends of adopted processes are looked for this often: nobody else tells the agent, and each look costs it idle time. */
const lookForExitsEveryMs = 100;
/** How often the output files are bounded: 16 MiB are not printed in less. */
const boundOutputEveryMs = 10_000;

export interface ChildDriverConfig {
  /** Marks the processes as this agent's: its data folder. */
  readonly owner: string;
  /** Where the services listen. */
  readonly address: Address;
  readonly policy: Policy;
}

interface Running {
  readonly which: FoundProcess;
  /** Null for a process that an earlier agent has started. */
  readonly child: ChildProcess | null;
}

/** Runs services as children that outlive the agent: sessions of their own, output to files, found by a mark. */
export class ChildDriver implements Driver {
  readonly #config: ChildDriverConfig;
  readonly #output: Output;
  readonly #running = new Map<ProcessRef, Running>();
  #onExit: (exited: Exited) => void = () => {};
  #look: NodeJS.Timeout | null = null;

  constructor(config: ChildDriverConfig) {
    this.#config = config;
    this.#output = new Output(config.owner);
    setInterval(() => this.#boundOutput(), boundOutputEveryMs).unref();
  }

  watchExits(callback: (exited: Exited) => void): void {
    this.#onExit = callback;
  }

  find(known: readonly FoundProcess[]): Promise<readonly FoundProcess[]> {
    const marked = markedLeaders(this.#config.owner, known);
    const refs = new Set(marked.map(({ process }) => process));
    const unmarked = known.filter(({ process }) => !refs.has(process) && isRunning(process));
    const found = [...marked, ...unmarked];
    endStrays(straysOf(this.#config.owner, found), this.#config.owner);
    for (const which of found) this.#note(which.process, { which, child: null });
    return Promise.resolve(found);
  }

  async admit({ service, target }: AdmitOrder): Promise<Result<null, StepFailure>> {
    const { run } = target.spec;
    const refusal = refusalOf(this.#config.policy, service, target);
    if (refusal !== null) return err(refusal);
    const unit = target.release.adopts ?? ("unit" in run ? run.unit : undefined);
    if (unit !== undefined || "unit" in run) {
      const message = `${unit}: this agent runs services as its children (driver: child), not as units`;
      return err({ code: "unit-needs-systemd", message });
    }
    const account = await accountOf(run.user ?? this.#config.policy.runAs);
    const variables = account.ok ? readEnvFile(run.envFile) : account;
    return variables.ok ? ok(null) : variables;
  }

  async start(order: StartOrder): Promise<Result<ProcessRef, StepFailure>> {
    const { address } = this.#config;
    const listener = await lastingListenerOn(address, order.port);
    if (listener !== null) {
      const message = `${address}:${order.port} is in use: ${listener}`;
      return err({ code: "port-in-use", message });
    }
    const admitted = await this.admit(order);
    if (!admitted.ok) return admitted;
    const output = this.#output.open(order);
    try {
      const spawned = await this.#spawn(order, output);
      return spawned.ok ? ok(this.#register(order, spawned.value)) : spawned;
    } finally {
      closeSync(output);
    }
  }

  async stop(process: ProcessRef, graceMs: number): Promise<Result<null, StepFailure>> {
    const name = parseRef(process);
    if (name === null || !isAlive(name)) return ok(null);
    // It is spoken for by this call; its end is no news.
    const running = this.#running.get(process);
    this.#running.delete(process);
    const ended = await endGroup(name, graceMs);
    if (!ended.ok && running !== undefined) this.#note(process, running);
    if (ended.ok && running !== undefined) this.#endStraysOf(running.which);
    return ended;
  }

  async #spawn(order: StartOrder, output: number): Promise<Result<ChildProcess, StepFailure>> {
    const { run } = order.target.spec;
    if ("unit" in run) return err({ code: "unit-needs-systemd", message: run.unit });
    const [program = "", ...args] = run.command;
    const account = await accountOf(run.user ?? this.#config.policy.runAs);
    if (!account.ok) return account;
    const env = this.#environment(order, run, account.value);
    if (!env.ok) return env;
    const ids = account.value === null ? {} : { uid: account.value.uid, gid: account.value.gid };
    return new Promise((resolve) => {
      const refuse = (cause: unknown) => {
        const message = `${program} could not be started in ${order.folder}: ${messageOf(cause)}`;
        resolve(err({ code: "start-failed", message }));
      };
      try {
        const child = spawn(program, args, {
          cwd: order.folder,
          // A session of its own: signals to the agent's group are not for it, and its children can be ended with it.
          detached: true,
          // Never pipes: a service must not die of the agent's death.
          stdio: ["ignore", output, output],
          env: env.value,
          ...ids,
        });
        child.once("error", refuse);
        child.once("spawn", () => resolve(ok(child)));
      } catch (cause) {
        refuse(cause);
      }
    });
  }

  #environment(
    order: StartOrder,
    run: CommandRun,
    account: Account | null,
  ): Result<NodeJS.ProcessEnv, StepFailure> {
    const { service, slot, startId, target } = order;
    const fromFile = readEnvFile(run.envFile);
    if (!fromFile.ok) return fromFile;
    return ok({
      PATH: basePath,
      HOME: account?.home ?? homedir(),
      LANG: "C.UTF-8",
      ...fromFile.value,
      ...run.env,
      ...serviceEnvironment(order, this.#config.address),
      ...markerOf(this.#config.owner, { service, slot, targetId: target.id, startId }),
    });
  }

  #register({ service, slot, startId, target }: StartOrder, child: ChildProcess): ProcessRef {
    // Just spawned and not waited for yet, so that it has an entry even where it has ended already.
    const process = refOfPid(child.pid ?? 0) ?? `${child.pid}:gone`;
    const which = { service, slot, startId, targetId: target.id, process };
    this.#note(process, { which, child });
    child.once("exit", (code, signal) => this.#exited(process, code, signal));
    child.unref();
    return process;
  }

  /** The end of a child is told by the kernel. */
  #note(process: ProcessRef, running: Running): void {
    this.#running.set(process, running);
    if (running.child !== null) return;
    this.#look ??= setInterval(() => this.#lookForExits(), lookForExitsEveryMs).unref();
  }

  #lookForExits(): void {
    const adopted = [...this.#running].flatMap(([process, { child }]) => (child === null ? [process] : []));
    for (const process of adopted) if (!isRunning(process)) this.#exited(process, null, null);
    if (adopted.length > 0 || this.#look === null) return;
    clearInterval(this.#look);
    this.#look = null;
  }

  #exited(process: ProcessRef, code: number | null, signal: string | null): void {
    const running = this.#running.get(process);
    if (running === undefined) return;
    this.#running.delete(process);
    const { which } = running;
    this.#endStraysOf(which);
    const exit: ProcessExit = { code, signal, output: this.#output.tail(which) };
    this.#onExit({ service: which.service, slot: which.slot, startId: which.startId, exit });
  }

  /** What a process has left behind would hold its port. */
  #endStraysOf(which: FoundProcess): void {
    const { owner } = this.#config;
    const pid = parseRef(which.process)?.pid;
    const group = pid === undefined ? [] : membersOfGroup(pid);
    endStrays([...group, ...bearersOf(owner, which)], owner);
  }

  #boundOutput(): void {
    for (const { which } of this.#running.values()) this.#output.bound(which);
  }
}

function isRunning(process: ProcessRef): boolean {
  const name = parseRef(process);
  return name !== null && isAlive(name);
}
