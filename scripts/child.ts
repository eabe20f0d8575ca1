import { spawn } from "node:child_process";
import { delimiter, join } from "node:path";

/** The checkout's own folder, wherever the command was started. */
export const ROOT = join(import.meta.dirname, "..");

/** How long a told-to-stop child may clean up after itself before it is killed. */
const STOP_GRACE_MS = 5_000;

const BIN = join(ROOT, "node_modules/.bin");

/** The environment in which `node` is the pinned one, for every child and grandchild. */
export function pinnedEnvironment(): NodeJS.ProcessEnv {
  const others = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== BIN);
  return { ...process.env, PATH: [BIN, ...others].join(delimiter) };
}

/** How a child ended: its exit code (1 when a signal ended it), and what it said where that was captured. */
export type ChildEnd = { readonly code: number; readonly output: string };

export type ToolOptions = {
  /** "capture" collects both outputs, "inherit" shows them as they come. */
  readonly output: "capture" | "inherit";
  /** Ends the child's whole group when aborted. */
  readonly stop: AbortSignal;
  readonly env?: NodeJS.ProcessEnv;
};

/**
 * Runs one of the workspace's tools. It gets a process group of its own, so that Ctrl-C reaches it only as our orderly
 * stop.
 */
export async function runTool(tool: string, args: string[], options: ToolOptions): Promise<ChildEnd> {
  const pipe = options.output === "capture" ? "pipe" : "inherit";
  const child = spawn(join(BIN, tool), args, {
    cwd: ROOT,
    env: { ...pinnedEnvironment(), ...options.env },
    stdio: ["ignore", pipe, pipe],
    detached: true,
  });
  const said: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => said.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => said.push(chunk));
  const stop = () => stopGroup(child.pid);
  options.stop.addEventListener("abort", stop, { once: true });
  if (options.stop.aborted) stop();
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (exitCode) => resolve(exitCode ?? 1));
    });
    return { code, output: Buffer.concat(said).toString("utf8") };
  } finally {
    options.stop.removeEventListener("abort", stop);
  }
}

function stopGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  signalGroup(pid, "SIGTERM");
  setTimeout(() => signalGroup(pid, "SIGKILL"), STOP_GRACE_MS).unref();
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // Already gone: its end is on the way.
  }
}
