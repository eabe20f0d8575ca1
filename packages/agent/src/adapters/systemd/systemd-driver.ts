import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Address } from "@siding/shared/ids";
import { maxOutputBytes, type StepFailure } from "@siding/shared/report";
import { err, ok, type Result } from "@siding/shared/result";
import { formatMs } from "@siding/shared/units";
import type { FoundProcess } from "../../machine/effect.ts";
import type { ProcessRef } from "../../machine/journal.ts";
import type { AdmitOrder, Driver, Exited, StartOrder } from "../../ports/driver.ts";
import { lastingListenerOn } from "../network/listener.ts";
import { accountOf } from "../process/account.ts";
import { basePath, readEnvFile, serviceEnvironment } from "../process/environment.ts";
import { type Policy, refusalOf } from "../process/policy.ts";
import { isAlive, parseRef, refOfPid } from "../process/proc.ts";
import { watchCgroup } from "./cgroup-events.ts";
import { exitOf } from "./ending.ts";
import { flawOf, restartFlaw } from "./judgement.ts";
import { type Note, Notes } from "./notes.ts";
import { journalTail, systemctl } from "./programs.ts";
import {
  dropInText,
  environmentText,
  isTampered,
  isWritten,
  programPath,
  templateText,
  unitOf,
  writtenTemplate,
} from "./unit-files.ts";
import { isOver, stateOf, type UnitState } from "./unit-state.ts";

export interface SystemdDriverConfig {
  /** Where the services listen. */
  readonly address: Address;
  readonly policy: Policy;
  /** Where units are written that no boot shall outlive: /run/systemd/system. */
  readonly unitDir: string;
  /** The agent's own folder below /run. */
  readonly runDir: string;
}

/**
 * Ends are looked for this often, in /proc: systemd would have to be asked by a program. Ten times a second costs 0.3 % of
 * a core, so that is for units of whose ends the kernel does not tell …
 */
const lookForExitsEveryMs = 100;
/** … and of the others it tells only when the last process has ended, which may be later than the main one's end. */
const lookForUntoldEveryMs = 1_000;
/** A unit says when it has started (Type=notify) within its own TimeoutStartSec, 90 s unless set. */
const startDeadlineMs = 110_000;
/** Above the grace: what runs after the stop, SIGKILL, and a kernel that is slow about it. */
const stopSlackMs = 30_000;
const killDeadlineMs = 5_000;
/** After the main process, what else is in the unit ends, or is ended by systemd. */
const overDeadlineMs = 60_000;
const pollMs = 25;
const journalLines = 100;
/** Who ends within this time may have been ended by what it says at its start. */
const youngMs = 10_000;
/** After every other name, so that it has the last word. */
const dropInName = "zz-siding.conf";

interface Running {
  readonly which: FoundProcess;
  readonly unit: string;
  readonly invocation: string;
  /** When it was started or found, by `performance.now()`. */
  readonly sinceMs: number;
  /** Stops the watch over its control group; null where it can't be watched. */
  readonly unwatch: (() => void) | null;
}

/**
 * Runs services as units of systemd: of templates that it writes from `run`, or of the host's own. They are not
 * enabled at boot, since only the agent's journal knows which slot is to run.
 */
export class SystemdDriver implements Driver {
  readonly #config: SystemdDriverConfig;
  readonly #notes: Notes;
  readonly #running = new Map<ProcessRef, Running>();
  #onExit: (exited: Exited) => void = () => {};

  constructor(config: SystemdDriverConfig) {
    this.#config = config;
    this.#notes = new Notes(config.runDir);
    this.#lookLater();
  }

  watchExits(callback: (exited: Exited) => void): void {
    this.#onExit = callback;
  }

  async admit({ service, slot, target }: AdmitOrder): Promise<Result<null, StepFailure>> {
    const { run } = target.spec;
    const refusal = refusalOf(this.#config.policy, service, target);
    if (refusal !== null) return err(refusal);
    if (target.release.adopts !== undefined || "unit" in run) {
      const unit = unitOf(service, slot, target);
      const flaw = flawOf(unit, await stateOf(unit), null);
      return flaw === null ? ok(null) : err(flaw);
    }
    const account = await accountOf(run.user ?? this.#config.policy.runAs);
    if (!account.ok) return account;
    const variables = readEnvFile(run.envFile);
    if (!variables.ok) return variables;
    return this.#admitWritten(unitOf(service, slot, target), this.#templatePath(service));
  }

  async find(known: readonly FoundProcess[]): Promise<readonly FoundProcess[]> {
    const found: FoundProcess[] = [];
    for (const note of this.#notes.all()) {
      const state = await stateOf(note.unit);
      const process = state.mainPid > 0 && !isOver(state) ? refOfPid(state.mainPid) : null;
      if (process === null) continue;
      const { service, slot, targetId, startId, unit } = note;
      const which = { service, slot, targetId, startId, process };
      this.#note(which, unit, state);
      found.push(which);
    }
    return [...found, ...this.#strangers(known, found)];
  }

  async start(order: StartOrder): Promise<Result<ProcessRef, StepFailure>> {
    const taken = await this.#takeOver(order);
    if (taken !== null) return taken;
    const { address } = this.#config;
    const listener = await lastingListenerOn(address, order.port);
    if (listener !== null) {
      return err({ code: "port-in-use", message: `${address}:${order.port} is in use: ${listener}` });
    }
    const prepared = await this.#prepare(order);
    if (!prepared.ok) return prepared;
    const unit = prepared.value;
    const { service, slot, startId, target } = order;
    const note: Note = { service, slot, startId, targetId: target.id, unit };
    this.#notes.write(note, environmentText(this.#environment(order)));
    const started = await systemctl(["start", "--", unit], startDeadlineMs);
    const state = await stateOf(unit);
    if (started.code === 0 && state.mainPid > 0) return ok(this.#register(note, state));
    return err(await this.#startFailure(unit, state, started.complaint));
  }

  /**
   * Takes over the unit that a release adopts, as it runs: what serves is not touched. Null where there is nothing to
   * take over.
   */
  async #takeOver(order: StartOrder): Promise<Result<ProcessRef, StepFailure> | null> {
    const { service, slot, startId, target } = order;
    const unit = target.release.adopts;
    if (unit === undefined) return null;
    const { active, mainPid } = await stateOf(unit);
    if (active !== "active" || mainPid === 0) return null;
    const admitted = await this.admit(order);
    if (!admitted.ok) return admitted;
    const written = this.#writeFiles(order, unit);
    if (!written.ok) return written;
    await systemctl(["daemon-reload"]);
    const state = await stateOf(unit);
    const flaw = restartFlaw(unit, state);
    if (flaw !== null) return err(flaw);
    const note: Note = { service, slot, startId, targetId: target.id, unit };
    this.#notes.write(note, "");
    return ok(this.#register(note, state));
  }

  async stop(process: ProcessRef, graceMs: number): Promise<Result<null, StepFailure>> {
    const running = this.#running.get(process);
    const name = parseRef(process);
    if (running === undefined) {
      if (name === null || !isAlive(name)) return ok(null);
      return err({ code: "stop-failed", message: `pid ${name.pid} belongs to no unit of this agent's` });
    }
    // It is spoken for by this call; its end is no news.
    this.#running.delete(process);
    const ended = await endUnit(running.unit, graceMs);
    if (ended.ok) {
      running.unwatch?.();
      this.#notes.forget(running.which);
    } else this.#running.set(process, running);
    return ended;
  }

  /** Alive, of an earlier start, and not by a unit of ours: it can be named, and stopping it fails by name. */
  #strangers(known: readonly FoundProcess[], found: readonly FoundProcess[]): FoundProcess[] {
    const refs = new Set(found.map(({ process }) => process));
    return known.filter(({ process }) => {
      const name = parseRef(process);
      return !refs.has(process) && name !== null && isAlive(name);
    });
  }

  /** Everything that systemd has to know before the start. Gives the unit's name. */
  async #prepare(order: StartOrder): Promise<Result<string, StepFailure>> {
    const admitted = await this.admit(order);
    if (!admitted.ok) return admitted;
    const { service, slot, target } = order;
    const unit = unitOf(service, slot, target);
    const written = this.#writeFiles(order, unit);
    if (!written.ok) return written;
    const before = await stateOf(unit);
    if (written.value || before.stale) await systemctl(["daemon-reload"]);
    const state = written.value || before.stale ? await stateOf(unit) : before;
    const path = isWritten(target) ? this.#templatePath(service) : null;
    const flaw = flawOf(unit, state, path) ?? restartFlaw(unit, state);
    if (flaw !== null) return err(flaw);
    if (state.active === "failed") await systemctl(["reset-failed", "--", unit]);
    if (isOver(await waitUntilOver(unit, state))) return ok(unit);
    const message = `${unit} runs already, and was not started by this agent: systemctl stop it`;
    return err({ code: "start-failed", message });
  }

  /** Whether anything had to be written that systemd has to read again. */
  #writeFiles(order: StartOrder, unit: string): Result<boolean, StepFailure> {
    const { service, slot, target, folder } = order;
    const { run } = target.spec;
    const envFile = this.#notes.environmentFile({ service, slot });
    const dropIn = join(this.#config.unitDir, `${unit}.d`, dropInName);
    if (target.release.adopts !== undefined) {
      return ok(writeIfOther(dropIn, dropInText({ envFile: null, own: null })));
    }
    if ("unit" in run) return ok(writeIfOther(dropIn, dropInText({ envFile, own: null })));
    const path = run.env.PATH ?? basePath;
    const program = programPath(run.command[0] ?? "", folder, path, isExecutable);
    if (program === null) {
      const message = `there is no program '${run.command[0]}' in ${path}`;
      return err({ code: "start-failed", message });
    }
    const user = run.user ?? this.#config.policy.runAs;
    const own = { run, program, folder, user };
    const changed = [
      writeIfOther(this.#templatePath(service), templateText(service)),
      writeIfOther(dropIn, dropInText({ envFile, own })),
    ];
    return ok(changed.includes(true));
  }

  async #admitWritten(unit: string, template: string): Promise<Result<null, StepFailure>> {
    const state = await stateOf(unit);
    // Not there: it will be written. All else is said now, before traffic changes.
    const flaw = state.load === "not-found" ? null : flawOf(unit, state, template);
    if (flaw !== null) return err(flaw);
    if (!existsSync(template) || !isTampered(readFileSync(template, "utf8"))) return ok(null);
    const message = `${template} was changed by hand: remove it, and put changes into a drop-in or a unit of your own`;
    return err({ code: "unit-edited", message });
  }

  #templatePath(service: StartOrder["service"]): string {
    return join(this.#config.unitDir, writtenTemplate(service));
  }

  #environment(order: StartOrder): Record<string, string> {
    const { run } = order.target.spec;
    const own = "unit" in run ? {} : { PATH: basePath, LANG: "C.UTF-8", ...run.env };
    return { ...own, ...serviceEnvironment(order, this.#config.address) };
  }

  #register({ service, slot, startId, targetId, unit }: Note, state: UnitState): ProcessRef {
    // It may have ended already: then the next look at it says so.
    const process = refOfPid(state.mainPid) ?? `${state.mainPid}:gone`;
    const which = { service, slot, startId, targetId, process };
    this.#note(which, unit, state);
    return process;
  }

  #note(which: FoundProcess, unit: string, { mainPid, invocation }: UnitState): void {
    const unwatch = watchCgroup(mainPid, () => this.#lookForExits());
    const sinceMs = performance.now();
    this.#running.set(which.process, { which, unit, invocation, sinceMs, unwatch });
  }

  async #startFailure(unit: string, state: UnitState, complaint: string): Promise<StepFailure> {
    const output = (await journalTail(unit, state.invocation, journalLines, true)).slice(-maxOutputBytes);
    // A start that failed half-way must not go on behind the agent's back.
    if (!isOver(state)) await systemctl(["stop", "--", unit], stopSlackMs);
    const isBackground = state.mainPid === 0 && state.active === "active";
    const why = isBackground ? "it has no main process: Type=forking needs a PIDFile=" : complaint;
    const ended = exitOf(unit, state, output).note ?? "it ended at once";
    const message = `${unit} did not start (${state.result || state.active}): ${why || ended}`;
    return { code: "start-failed", message, ...(output === "" ? {} : { output }) };
  }

  #lookLater(): void {
    const isTold = [...this.#running.values()].every(({ unwatch }) => unwatch !== null);
    const look = () => {
      this.#lookForExits();
      this.#lookLater();
    };
    setTimeout(look, isTold ? lookForUntoldEveryMs : lookForExitsEveryMs).unref();
  }

  #lookForExits(): void {
    for (const [process, running] of this.#running) {
      const name = parseRef(process);
      if (name !== null && isAlive(name)) continue;
      this.#running.delete(process);
      running.unwatch?.();
      void this.#exited(running);
    }
  }

  async #exited({ which, unit, invocation, sinceMs }: Running): Promise<void> {
    let state = await stateOf(unit);
    const again = state.mainPid > 0 && state.invocation !== invocation;
    if (again) await systemctl(["stop", "--", unit], stopSlackMs);
    state = await waitUntilOver(unit, state);
    const isYoung = performance.now() - sinceMs < youngMs;
    const exit = exitOf(unit, state, await journalTail(unit, invocation, journalLines, isYoung));
    const note = again
      ? `${unit} was started again by somebody else than the agent, and was stopped for that`
      : exit.note;
    const { service, slot, startId } = which;
    this.#onExit({ service, slot, startId, exit: { ...exit, ...(note === undefined ? {} : { note }) } });
  }
}

/** Waits while a unit is ending; gives how it stands then. */
async function waitUntilOver(unit: string, first: UnitState): Promise<UnitState> {
  const deadlineAtMs = performance.now() + overDeadlineMs;
  let state = first;
  while (state.active === "deactivating" && performance.now() < deadlineAtMs) {
    await sleep(pollMs);
    state = await stateOf(unit);
  }
  return state;
}

/** systemd's own way (SIGTERM, the grace, SIGKILL), and where that hangs, SIGKILL. */
async function endUnit(unit: string, graceMs: number): Promise<Result<null, StepFailure>> {
  const stopped = await systemctl(["stop", "--", unit], graceMs + stopSlackMs);
  if (isOver(await stateOf(unit))) return ok(null);
  await systemctl(["kill", "--signal=SIGKILL", "--", unit]);
  await sleep(killDeadlineMs);
  if (isOver(await stateOf(unit))) return ok(null);
  const message = `${unit} did not end within ${formatMs(graceMs + stopSlackMs)}, nor by SIGKILL: ${stopped.complaint}`;
  return err({ code: "stop-failed", message });
}

function writeIfOther(path: string, text: string): boolean {
  if (existsSync(path) && readFileSync(path, "utf8") === text) return false;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, text, { mode: 0o644 });
  renameSync(`${path}.new`, path);
  return true;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
