import { readFileSync, watch } from "node:fs";
import { join } from "node:path";

/**
 * Calls back when the last process of the control group of `pid` has ended: the kernel tells that by inotify; see
 * cgroup.events in the kernel's cgroup-v2. Gives the way to stop that; null where it can't be told, as on hosts whose
 * systemd has its units in the older hierarchies.
 */
export function watchCgroup(pid: number, changed: () => void): (() => void) | null {
  try {
    const file = eventsFileOf(readFileSync(`/proc/${pid}/cgroup`, "utf8"));
    return file === null ? null : watchFile(file, changed);
  } catch {
    // It has ended meanwhile, or nothing may be watched here: then it is looked for.
    return null;
  }
}

/** Of the text of /proc/PID/cgroup. The root is nobody's own, and has no such file. */
export function eventsFileOf(cgroups: string, root = "/sys/fs/cgroup"): string | null {
  const path = /^0::(\/.+)$/m.exec(cgroups)?.[1];
  return path === undefined ? null : join(root, path, "cgroup.events");
}

/** Errors: throws where there is no such file. */
export function watchFile(file: string, changed: () => void): () => void {
  const watcher = watch(file, { persistent: false }, () => changed());
  watcher.on("error", () => watcher.close());
  return () => watcher.close();
}
