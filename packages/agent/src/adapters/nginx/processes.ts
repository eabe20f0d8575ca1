import { readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";

/** A process, and no later one that was given its pid. */
export interface ProcessRef {
  readonly pid: number;
  /** Clock ticks from boot to its start. */
  readonly startTicks: number;
}

/** The process that has this pid now; null where there is none, or only its remains. */
export function processOf(pid: number): ProcessRef | null {
  const stat = readProc(pid, "stat");
  if (stat === null) return null;
  // The second field is the name in brackets, which may hold anything; state is the third, the start the 22nd.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, startTicks] = [fields[0], Number(fields[19])];
  return state === "Z" || state === "X" || !Number.isSafeInteger(startTicks) ? null : { pid, startTicks };
}

export function isAlive(process: ProcessRef): boolean {
  return processOf(process.pid)?.startTicks === process.startTicks;
}

/** True where it takes no new connection any more: it has ended, or it says so itself. */
export function isRetired(worker: ProcessRef): boolean {
  if (!isAlive(worker)) return true;
  const title = titleOf(worker.pid);
  // A process loses its title on its way out, a moment before its state shows that it has ended.
  return title === "" || title.includes("is shutting down");
}

/**
 * True while an nginx master waits for its next signal. From the moment that one reaches it until all that it asks for is
 * done, SIGHUP is pending, or blocked.
 */
export function isAtRest(master: ProcessRef): boolean {
  const masks = readProc(master.pid, "status")?.matchAll(/^(?:SigPnd|ShdPnd|SigBlk):\s*([0-9a-f]+)$/gm) ?? [];
  const sighup = 1n;
  const holding = [...masks].map(([, mask]) => (BigInt(`0x${mask}`) & sighup) !== 0n);
  return holding.length === 3 && !holding.includes(true);
}

/** True for an nginx worker that has got as far as its event loop; until then it bears its master's title. */
export function isWorker(pid: number): boolean {
  return titleOf(pid).startsWith("nginx: worker process");
}

/**
 * The workers of a master, also those that are about to start: on a busy machine that takes a while, and they have read the
 * config that was there when they were made. The master of an nginx that replaces this one has workers of its own.
 */
export function workersOf(master: ProcessRef): ProcessRef[] {
  return childrenOf(master).flatMap((pid) => {
    const child = processOf(pid);
    if (child === null) return [];
    return isWorker(pid) || (isMaster(pid) && childrenOf(child).length === 0) ? [child] : [];
  });
}

/** True for an nginx master. */
export function isMaster(pid: number): boolean {
  return titleOf(pid).startsWith("nginx: master process");
}

/** The pids of a process's children; none where the kernel does not tell (CONFIG_PROC_CHILDREN). */
export function childrenOf({ pid }: ProcessRef): number[] {
  const children = readProc(pid, `task/${pid}/children`) ?? "";
  return children.split(" ").filter(Boolean).map(Number);
}

/** Signals the process; false where it is gone. Its pid may have been given away, so it is looked at first. */
export function signal(target: ProcessRef, name: NodeJS.Signals): boolean {
  if (!isAlive(target)) return false;
  try {
    process.kill(target.pid, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

/**
 * All nginx processes, master and workers, that work in a folder. Their titles don't tell one nginx from another, and
 * orphaned workers have no parent: the working directory is what they keep.
 */
export function nginxIn(folder: string): ProcessRef[] {
  const realFolder = realPathOf(folder);
  if (realFolder === null) return [];
  const found: ProcessRef[] = [];
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || workingDirectoryOf(pid) !== realFolder) continue;
    const process = titleOf(pid).startsWith("nginx: ") ? processOf(pid) : null;
    if (process) found.push(process);
  }
  return found;
}

function realPathOf(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null; // Without a folder nobody works in it.
  }
}

function workingDirectoryOf(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return null; // Ended while we looked, or a kernel thread, or not ours to see: in no case one of our nginx.
  }
}

function titleOf(pid: number): string {
  return readProc(pid, "cmdline") ?? "";
}

function readProc(pid: number, file: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return null; // A process that ends between two looks is the ordinary case.
  }
}
