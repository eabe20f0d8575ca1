import { randomBytes } from "node:crypto";
import { linkSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { err, failure, messageOf, ok, type Result } from "@siding/shared/result";
import { z } from "zod";
import { readIfThere } from "./durable-file.ts";
import { identityOf, isRunning, type ProcessIdentity } from "./process-identity.ts";

const Holder = z.object({ pid: z.int(), startedAt: z.string() });

/** Two starts at the same instant can each find what the other just left; after this many rounds one has won. */
const attempts = 5;

/**
 * Takes a folder for this process alone; returns what gives it back. The lock names its holder by start, not only by
 * number, so that one who died without giving it back holds nobody up. `what` is what its holders do, for people.
 * Errors: `already-running`, naming the holder; `lock-failed` where no file can be written.
 */
export function takeLock(file: string, what = "control plane"): Result<() => void> {
  const self = identityOf(process.pid);
  if (!self) return err(failure("lock-failed", "this process is not to be found in /proc"));
  try {
    return take(file, self, what);
  } catch (cause) {
    return err(failure("lock-failed", `${file} can't be taken: ${messageOf(cause)}`, cause));
  }
}

function take(file: string, self: ProcessIdentity, what: string): Result<() => void> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    if (create(file, self)) return ok(() => rmSync(file, { force: true }));
    const holder = readHolder(file);
    if (holder && isRunning(holder)) {
      return err(
        failure(
          "already-running",
          `another ${what} (pid ${holder.pid}) is working with this data directory (${file})`,
        ),
      );
    }
    removeStale(file, holder);
  }
  return err(failure("already-running", `another ${what} is starting at the same time (${file})`));
}

/** A link appears whole or not at all, and never over another. */
function create(file: string, self: ProcessIdentity): boolean {
  const mine = `${file}.${randomBytes(6).toString("hex")}`;
  try {
    writeFileSync(mine, JSON.stringify(self), { mode: 0o600 });
    linkSync(mine, file);
    return true;
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "EEXIST") return false;
    throw cause;
  } finally {
    rmSync(mine, { force: true });
  }
}

/** Null where nobody holds it, or where what stands there is no lock of ours (an empty file after a power cut). */
function readHolder(file: string): ProcessIdentity | null {
  const text = readIfThere(file);
  if (text === null) return null;
  try {
    return Holder.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** Moves the lock aside first: should it be the fresh one of somebody faster, it is put back. */
function removeStale(file: string, judged: ProcessIdentity | null): void {
  const aside = `${file}.${randomBytes(6).toString("hex")}.stale`;
  try {
    renameSync(file, aside);
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return;
    throw cause;
  }
  const moved = readHolder(aside);
  if (moved?.startedAt !== judged?.startedAt) renameSync(aside, file);
  else rmSync(aside, { force: true });
}
