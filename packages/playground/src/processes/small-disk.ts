import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Yard } from "./yard.ts";

const BALLAST = ".ballast";

/** A small file system of its own in place of a folder of a yard: for real disks that are full or read-only. */
export class SmallDisk {
  readonly folder: string;
  #isMounted = true;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /**
   * Mounts it, with what the folder holds; nobody may be working there. Null, said loudly, where this machine does not
   * let us mount.
   */
  static over(yard: Yard, folder: string, sizeMiB: number): SmallDisk | null {
    return withCopy(folder, (copy) => {
      try {
        const options = ["-t", "tmpfs", "-o", `size=${sizeMiB}m,mode=755`, "siding-test"];
        execFileSync("mount", [...options, folder], { stdio: "pipe" });
      } catch {
        process.stderr.write("SKIPPED: no file system can be mounted here, so no disk runs full for real\n");
        return null;
      }
      const disk = new SmallDisk(folder);
      yard.beforeClose(`unmounting ${folder}`, () => Promise.resolve(disk.remove()));
      cpSync(copy, folder, { recursive: true, verbatimSymlinks: true });
      return disk;
    });
  }

  /** Leaves no room. */
  fill(): void {
    const { bavail, bsize } = statfsSync(this.folder);
    try {
      writeFileSync(join(this.folder, BALLAST), Buffer.alloc(bavail * bsize));
    } catch (error) {
      // Somebody has taken of the same room meanwhile: so it is full.
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
  }

  /** Makes room again. */
  clear(): void {
    rmSync(join(this.folder, BALLAST), { force: true });
  }

  readOnly(): void {
    execFileSync("mount", ["-o", "remount,ro", this.folder]);
  }

  writable(): void {
    execFileSync("mount", ["-o", "remount,rw", this.folder]);
  }

  /** Puts the folder back as it was, with what it holds now; nobody may be working there. Twice is once. */
  remove(): void {
    if (!this.#isMounted) return;
    this.#isMounted = false;
    withCopy(this.folder, (copy) => {
      // Services may still have it as their working directory.
      execFileSync("umount", ["-l", this.folder]);
      rmSync(this.folder, { recursive: true, force: true });
      cpSync(copy, this.folder, { recursive: true, verbatimSymlinks: true });
    });
  }
}

function withCopy<T>(folder: string, use: (copy: string) => T): T {
  const copy = mkdtempSync(join(tmpdir(), "siding-disk-"));
  try {
    cpSync(folder, copy, { recursive: true, verbatimSymlinks: true });
    return use(copy);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}
