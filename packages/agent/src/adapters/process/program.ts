import { type ChildProcess, spawn } from "node:child_process";
import { maxOutputBytes } from "@siding/shared/report";
import { messageOf } from "@siding/shared/result";
import type { Ids } from "./proc.ts";

/** A program that is run to its end. */
export interface ProgramOrder {
  readonly command: readonly string[];
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  /** Null: whoever the agent is. */
  readonly ids: Ids | null;
  readonly timeoutMs: number;
}

export type ProgramEnd =
  /** `output` is the end of what it printed. */
  | {
      readonly kind: "exit";
      readonly code: number | null;
      readonly signal: string | null;
      readonly output: string;
    }
  /** It was killed, since it had not ended in time. */
  | { readonly kind: "timeout"; readonly output: string }
  /** Killed, and alive: it waits in the kernel, for a disk that does not answer. */
  | { readonly kind: "stuck"; readonly pid: number }
  | { readonly kind: "not-started"; readonly message: string };

export interface RunningProgram {
  readonly ended: Promise<ProgramEnd>;
  /** Kills it, whatever it is at. */
  readonly kill: () => void;
}

/** After SIGKILL only the kernel can be slow. */
const killDeadlineMs = 1_000;
/** Its last words are in the pipe already; somebody who left its group may hold that open for ever. */
const lastWordsMs = 100;

/**
 * Runs a program in a process group of its own, which ends with it: what it has forked is killed when it ends or its time
 * is over. What left the group is the caller's to find.
 */
export function startProgram(order: ProgramOrder): RunningProgram {
  let child: ChildProcess;
  try {
    child = spawned(order);
  } catch (cause) {
    const message = messageOf(cause);
    return { ended: Promise.resolve({ kind: "not-started", message }), kill: () => {} };
  }
  return { ended: endOf(child, order.timeoutMs), kill: () => killGroupOf(child) };
}

function spawned({ command, folder, env, ids }: ProgramOrder): ChildProcess {
  const [program = "", ...args] = command;
  return spawn(program, args, {
    cwd: folder,
    env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    ...(ids ?? {}),
  });
}

function endOf(child: ChildProcess, timeoutMs: number): Promise<ProgramEnd> {
  return new Promise((resolve) => {
    const output = tailOf(child);
    let isLate = false;
    let stuck: NodeJS.Timeout | undefined;
    const deadline = setTimeout(() => {
      isLate = true;
      killGroupOf(child);
      stuck = setTimeout(() => resolve({ kind: "stuck", pid: child.pid ?? 0 }), killDeadlineMs);
    }, timeoutMs);
    const settle = () => {
      clearTimeout(deadline);
      clearTimeout(stuck);
    };
    child.once("error", (cause) => {
      settle();
      resolve({ kind: "not-started", message: messageOf(cause) });
    });
    child.once("exit", (code, signal) => {
      settle();
      killGroupOf(child);
      void lastWords(child).then(() =>
        resolve(
          isLate ? { kind: "timeout", output: output() } : { kind: "exit", code, signal, output: output() },
        ),
      );
    });
  });
}

/** Gives the end of what it has printed so far. */
function tailOf({ stdout, stderr }: ChildProcess): () => string {
  let tail = Buffer.alloc(0);
  for (const stream of [stdout, stderr]) {
    stream?.on("data", (chunk: Buffer) => {
      tail = Buffer.concat([tail, chunk]).subarray(-maxOutputBytes);
    });
    // A pipe that breaks has said all that it will say.
    stream?.on("error", () => stream.destroy());
  }
  return () => tail.toString("utf8").replaceAll("\0", "").trimEnd();
}

function lastWords(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    const enough = setTimeout(() => {
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve();
    }, lastWordsMs);
    child.once("close", () => {
      clearTimeout(enough);
      resolve();
    });
  });
}

function killGroupOf({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
