import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { dirname } from "node:path";

export type ProgramSpec = {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** A channel for messages; see {@link Program.onMessage}. */
  readonly channel?: boolean;
};

/** How a program ended: `SIGKILL`, `0`, or why it could not start. */
export type ProgramEnd = string;

/** The only variables that our children get of ours: a test runner's own would change how they behave. */
const PASSED_ON = ["HOME", "LANG", "NODE_COMPILE_CACHE", "TMPDIR", "USER"];

/** A process of ours: detached, so that Ctrl-C reaches only us and we end it in order; its output goes to a file. */
export class Program {
  readonly name: string;
  readonly logFile: string;
  readonly ended: Promise<ProgramEnd>;
  #child: ChildProcess;
  #end: ProgramEnd | undefined;

  constructor(spec: ProgramSpec, logFile: string) {
    this.name = spec.name;
    this.logFile = logFile;
    const log = openSync(logFile, "a");
    this.#child = spawn(spec.command, [...spec.args], {
      detached: true,
      env: environment(),
      stdio: spec.channel ? ["ignore", log, log, "ipc"] : ["ignore", log, log],
    });
    closeSync(log);
    this.ended = new Promise((resolve) => {
      const end = (how: ProgramEnd) => {
        this.#end ??= how;
        resolve(this.#end);
      };
      this.#child.once("error", (error) => end(error.message));
      this.#child.once("exit", (code, signal) => end(signal ?? String(code)));
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.name} could not be started`);
    return this.#child.pid;
  }

  get running(): boolean {
    return this.#end === undefined;
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) this.#child.kill(signal);
  }

  kill(): Promise<ProgramEnd> {
    this.signal("SIGKILL");
    return this.ended;
  }

  /** SIGTERM, and SIGKILL where that did not end it in time. */
  async stop(graceMs: number): Promise<ProgramEnd> {
    this.signal("SIGTERM");
    const impatience = setTimeout(() => this.signal("SIGKILL"), graceMs);
    try {
      return await this.ended;
    } finally {
      clearTimeout(impatience);
    }
  }

  /** Gives what `waiting` gives, unless the program ends first: that is an error, with the end of its log. */
  async survives<T>(waiting: Promise<T>): Promise<T> {
    const over = this.ended.then((end) => {
      throw new Error(`${this.name} ended with ${end}\n${this.logTail(20)}`);
    });
    return Promise.race([waiting, over]);
  }

  send(message: object): void {
    if (this.running && this.#child.connected) this.#child.send(message);
  }

  onMessage(listener: (message: unknown) => void): void {
    this.#child.on("message", listener);
  }

  /** The end of what it said. */
  logTail(lines: number): string {
    return readFileSync(this.logFile, "utf8").trimEnd().split("\n").slice(-lines).join("\n");
  }
}

function environment(): NodeJS.ProcessEnv {
  const passedOn: NodeJS.ProcessEnv = {};
  for (const name of PASSED_ON) {
    if (process.env[name] !== undefined) passedOn[name] = process.env[name];
  }
  // `node` is this very Node, for children and for the services that agents start.
  return { ...passedOn, PATH: `${dirname(process.execPath)}:${process.env.PATH ?? ""}` };
}
