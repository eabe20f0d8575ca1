import { readFile } from "node:fs/promises";

/** What the machine allows. */
export interface Limits {
  /** The hard limit on open files. */
  readonly openFiles: number;
  /** The longest listen queue that the kernel grants. */
  readonly backlog: number;
}

/** Reads what this machine grants to a process that the agent starts. */
export async function readLimits(): Promise<Limits> {
  const limits = await readFile("/proc/self/limits", "utf8");
  const somaxconn = await readFile("/proc/sys/net/core/somaxconn", "utf8");
  const openFiles = /^Max open files\s+\S+\s+(\d+)/m.exec(limits);
  return {
    // No number means unlimited; rendering has a limit of its own.
    openFiles: openFiles ? Number(openFiles[1]) : Number.MAX_SAFE_INTEGER,
    backlog: Number.parseInt(somaxconn, 10),
  };
}
