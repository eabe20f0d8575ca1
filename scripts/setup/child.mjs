import { spawn } from "node:child_process";
import { SetupError } from "./error.mjs";
import { ROOT } from "./root.mjs";

/** How often we look whether npm, which started us, is still there: a killed npm tells nobody. */
const PARENT_POLL_MS = 200;

const stopSignals = /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]);

/**
 * Runs a program with both outputs on our stderr, in a process group of its own so that Ctrl-C reaches it only through
 * us, and gives its exit code. When we are told to stop, or whoever started us is gone, the group gets a SIGTERM, or is
 * left to finish if half of its work would be worse than all of it; in either case the set-up ends there.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, keepOpen?: number, onStop: "terminate" | "finish" }} options keepOpen: a
 *   descriptor the child inherits, so that a lock on it lives as long as the child
 * @returns {Promise<number>}
 */
export async function run(command, args, options) {
  /** @type {import("node:child_process").StdioOptions} */
  const stdio = ["ignore", 2, 2, ...(options.keepOpen === undefined ? [] : [options.keepOpen])];
  const child = spawn(command, args, { cwd: ROOT, env: options.env ?? process.env, stdio, detached: true });
  let stopped = false;
  const stop = () => {
    if (stopped) return;
    stopped = true;
    if (options.onStop === "finish") say(`stopping as soon as ${command} has finished`);
    else terminateGroup(child.pid);
  };
  const startedBy = process.ppid;
  const watch = setInterval(() => process.ppid !== startedBy && stop(), PARENT_POLL_MS);
  for (const signal of stopSignals) process.on(signal, stop);
  try {
    const code = await exitCodeOf(child, command);
    if (stopped) throw new SetupError("interrupted; the next run picks up from here", 130);
    return code;
  } finally {
    clearInterval(watch);
    for (const signal of stopSignals) process.off(signal, stop);
  }
}

/** @param {string} line */
export function say(line) {
  process.stderr.write(`set-up: ${line}\n`);
}

/**
 * @param {import("node:child_process").ChildProcess} child
 * @param {string} command
 * @returns {Promise<number>}
 */
function exitCodeOf(child, command) {
  return new Promise((resolve, reject) => {
    child.once("error", (cause) => reject(new SetupError(`can't run ${command}: ${cause.message}`)));
    child.once("exit", (code) => resolve(code ?? 1));
  });
}

/** @param {number | undefined} pid */
function terminateGroup(pid) {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGTERM");
  } catch {
    // Already gone: its exit is on the way.
  }
}
