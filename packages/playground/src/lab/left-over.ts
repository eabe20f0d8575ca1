import { readdirSync } from "node:fs";
import { join } from "node:path";
import { until } from "../until.ts";
import { command } from "./command.ts";

/** How namespaces and cgroups of labs begin; then the pid of whoever made them, and `-` and a machine's name. */
export const LAB_PREFIX = "sdl";

/** What is killed is gone as soon as it was scheduled once. */
const END_DEADLINE_MS = 30_000;

const NAMESPACES = "/run/netns";
/** The second one where the machine has version 1 beside version 2. */
const CGROUPS = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/** What outlived a lab whose maker was killed, so that nobody was left to clear up after it. */
export async function removeLeftOver(): Promise<void> {
  for (const name of names(NAMESPACES).filter(isLeftOver)) await command("ip", ["netns", "del", name]);
  for (const root of CGROUPS) {
    for (const name of names(root).filter(isLeftOver)) await endCgroup(join(root, name));
  }
}

/** Kills what is in it, and removes it. */
async function endCgroup(path: string): Promise<void> {
  const remove = async () => {
    for (const pid of (
      await command("find", [path, "-name", "cgroup.procs", "-exec", "cat", "{}", "+"])
    ).split("\n"))
      if (isRunning(Number(pid))) process.kill(Number(pid), "SIGKILL");
    await removeCgroup(path);
    return true;
  };
  await until(`the end of ${path}`, remove, END_DEADLINE_MS);
}

/** With everything below it; fails while a process is in it. */
export async function removeCgroup(path: string): Promise<void> {
  await command("find", [path, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"]);
}

/** The cgroups of a name, wherever this machine has them. */
export function cgroupsNamed(name: string): string[] {
  return CGROUPS.filter((root) => names(root).includes(name)).map((root) => join(root, name));
}

function isLeftOver(name: string): boolean {
  const pid = new RegExp(`^${LAB_PREFIX}(\\d+)-`).exec(name)?.[1];
  return pid !== undefined && !isRunning(Number(pid));
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Not there: the first namespace makes it, and only some machines have a second root.
    return [];
  }
}

function isRunning(pid: number): boolean {
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
