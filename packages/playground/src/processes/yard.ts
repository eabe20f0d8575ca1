import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../until.ts";
import { isAlive, processesHolding } from "./holders.ts";
import { Program, type ProgramSpec } from "./program.ts";

/** How long a program may take to end by itself before it is killed, and complained about. */
const STOP_GRACE_MS = 5_000;

/** How long killed processes may take to be gone: they only have to be scheduled once. */
const KILLED_GONE_MS = 5_000;

type Undo = { readonly what: string; readonly undo: () => Promise<void> };

/**
 * One temporary folder and everything that was started for it, until {@link Yard.close} leaves neither. If we are
 * killed, the warden does the same.
 */
export class Yard {
  readonly folder: string;
  #programs: Program[] = [];
  #undos: Undo[] = [];
  #closing: Promise<string[]> | undefined;
  #warden: Program;

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), "siding-"));
    // nginx's workers run as another user and have to reach sockets in here.
    chmodSync(this.folder, 0o755);
    mkdirSync(join(this.folder, "logs"));
    this.#warden = new Program(
      {
        name: "warden",
        command: process.execPath,
        args: [join(import.meta.dirname, "warden.main.ts"), this.folder],
        channel: true,
      },
      join(this.folder, "logs/warden.log"),
    );
  }

  /** A path in the folder. */
  path(...parts: string[]): string {
    return join(this.folder, ...parts);
  }

  /** Starts a program. Errors: throws once closing has begun, so that nothing is started behind the broom. */
  start(spec: ProgramSpec): Program {
    if (this.#closing === undefined) return this.#start(spec);
    throw new Error(`not starting ${spec.name}: everything is being stopped`);
  }

  /**
   * Runs a program to its end, also one that helps to close. Errors: throws with the end of its output where that end
   * is not 0.
   */
  async run(spec: ProgramSpec): Promise<void> {
    const program = this.#start(spec);
    const end = await program.ended;
    if (end !== "0") throw new Error(`${spec.name} ended with ${end}\n${program.logTail(20)}`);
  }

  /** What has to be done before the programs are stopped; the newest first. */
  beforeClose(what: string, undo: () => Promise<void>): void {
    this.#undos.push({ what, undo });
  }

  /**
   * Ends everything and removes the folder, once however often it is called. Gives what did not go as it should: a
   * failed undo, a program that had to be killed, a process that outlived those who started it.
   */
  close(): Promise<string[]> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** The end of every log, for whoever has to find out what went wrong. */
  logTails(lines: number): string {
    return this.#programs
      .map((program) => `--- ${program.name} (pid ${program.pid})\n${program.logTail(lines)}\n`)
      .join("");
  }

  #start(spec: ProgramSpec): Program {
    const program = new Program(spec, this.path("logs", `${spec.name}.log`));
    this.#programs.push(program);
    return program;
  }

  async #close(): Promise<string[]> {
    const complaints: string[] = [];
    for (const { what, undo } of this.#undos.toReversed()) {
      await undo().catch((error: unknown) => complaints.push(`${what}: ${String(error)}`));
    }
    const ends = this.#programs.map(async (program) => {
      if (!program.running) return;
      const end = await program.stop(STOP_GRACE_MS);
      if (end === "SIGKILL") complaints.push(`${program.name} ignored SIGTERM for ${STOP_GRACE_MS} ms`);
    });
    await Promise.all(ends);
    complaints.push(...(await sweep(this.folder, [this.#warden.pid])));
    await this.#warden.kill();
    removeFolder(this.folder);
    return complaints;
  }
}

/** Kills what still works in the folder, as long as there is anything, and names it. */
export async function sweep(folder: string, spared: readonly number[]): Promise<string[]> {
  const found = new Map<number, string>();
  await until(
    `the end of all processes in ${folder}`,
    () => {
      const holders = processesHolding(folder).filter((holder) => !spared.includes(holder.pid));
      for (const { pid, name, command } of holders) {
        found.set(pid, `${name} (pid ${pid}) was left over: ${command}`);
        if (isAlive(pid)) process.kill(pid, "SIGKILL");
      }
      return holders.length === 0;
    },
    KILLED_GONE_MS,
  );
  return [...found.values()];
}

/** Removes a folder that a process being killed may still have been writing to. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
}
