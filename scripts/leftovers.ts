import { chmodSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** What was told to stop at the very end of the last test may need this long. */
const SETTLE_MS = 3_000;
const POLL_MS = 100;

const RUN_FOLDER = "sdt-";

/**
 * The temporary folder of one test run. Its name in a process's environment, command line or working folder tells
 * that the process belongs to the run, however it was detached: services and nginx outlive their agent by design.
 */
export function makeRunFolder(): string {
  // Short, because unix sockets in it may have 107 characters in all.
  const folder = mkdtempSync(join(tmpdir(), RUN_FOLDER));
  // nginx's workers run as another user and must get through to their sockets.
  chmodSync(folder, 0o755);
  return folder;
}

export function isRunFolder(name: string): boolean {
  return name.startsWith(RUN_FOLDER);
}

/** Waits for the run's processes to end, kills those that don't, and removes the folder. Gives what had to be killed. */
export async function sweep(folder: string, settleMs = SETTLE_MS): Promise<string[]> {
  const deadline = performance.now() + settleMs;
  while (processesOf(folder).length > 0 && performance.now() < deadline) await sleep(POLL_MS);
  const left = processesOf(folder);
  for (const { pid } of left) kill(pid);
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: POLL_MS });
  return left.map(({ pid, command }) => `${pid} ${command}`);
}

function processesOf(folder: string): { pid: number; command: string }[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid && isAlive(pid) && belongsTo(folder, pid))
    .map((pid) => ({ pid, command: read(pid, "cmdline").replaceAll("\0", " ").trim() }));
}

function belongsTo(folder: string, pid: number): boolean {
  return [read(pid, "environ"), read(pid, "cmdline"), workingFolder(pid)].some((text) =>
    text.includes(folder),
  );
}

/** An ended process nobody has reaped still stands in /proc. */
function isAlive(pid: number): boolean {
  const stat = read(pid, "stat");
  const state = stat.slice(stat.lastIndexOf(")") + 2)[0];
  return state !== undefined && state !== "Z" && state !== "X";
}

/** Empty for a process that has gone meanwhile, or isn't ours to look at. */
function read(pid: number, what: "environ" | "cmdline" | "stat"): string {
  try {
    return readFileSync(`/proc/${pid}/${what}`, "utf8");
  } catch {
    return "";
  }
}

function workingFolder(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return "";
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Gone by itself after all.
  }
}
