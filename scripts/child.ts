import { spawn } from "node:child_process";
import { delimiter, join } from "node:path";

/** The checkout's own folder, wherever the command was started. */
export const ROOT = join(import.meta.dirname, "..");

/** How long a told-to-stop child may clean up after itself: the end-to-end tests stop real processes. */
const STOP_GRACE_MS = 10_000;

/** How often we look whether npm, which started us, is still there: a killed npm tells nobody. */
const PARENT_POLL_MS = 200;

const BIN = join(ROOT, "node_modules/.bin");

const stopSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** The environment in which `node` is the pinned one, for every child and grandchild. */
export function pinnedEnvironment(): NodeJS.ProcessEnv {
  const others = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== BIN);
  return { ...process.env, PATH: [BIN, ...others].join(delimiter) };
}

/** How a child ended: its exit code (1 when a signal ended it), and what it said where that was captured. */
export type ChildEnd = { readonly code: number; readonly output: string };

/**
 * Runs one of the workspace's tools. It gets a process group of its own, so that Ctrl-C, which comes once from the
 * terminal and once from npm, reaches it as one orderly stop.
 *
 * @param output "capture" collects both outputs, "inherit" shows them as they come
 */
export async function runTool(
  tool: string,
  args: string[],
  output: "capture" | "inherit",
): Promise<ChildEnd> {
  const pipe = output === "capture" ? "pipe" : "inherit";
  const child = spawn(join(BIN, tool), args, {
    cwd: ROOT,
    env: pinnedEnvironment(),
    stdio: ["ignore", pipe, pipe],
    detached: true,
  });
  const said: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => said.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => said.push(chunk));
  const stopWatching = stopWithUs(child.pid);
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (exitCode) => resolve(exitCode ?? 1));
    });
    return { code, output: Buffer.concat(said).toString("utf8") };
  } finally {
    stopWatching();
  }
}

/** Ends the child's group, then us, on a signal or when whoever started us is gone. Gives a function that stops watching. */
function stopWithUs(pid: number | undefined): () => void {
  let stopping = false;
  const stop = () => {
    if (stopping || pid === undefined) return;
    stopping = true;
    signalGroup(pid, "SIGINT");
    setTimeout(() => signalGroup(pid, "SIGKILL"), STOP_GRACE_MS).unref();
    process.exitCode = 130;
  };
  const startedBy = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid !== startedBy) stop();
  }, PARENT_POLL_MS);
  for (const signal of stopSignals) process.on(signal, stop);
  return () => {
    clearInterval(watch);
    for (const signal of stopSignals) process.off(signal, stop);
    if (stopping) process.exit();
  };
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // Already gone: its end is on the way.
  }
}
