import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** Replaces a file as a whole, and for good: whoever reads sees the old text or the new one, also after a power cut. */
export function writeDurably(file: string, text: string, mode = 0o600): void {
  const temporary = `${file}.${randomBytes(6).toString("hex")}.new`;
  const descriptor = openSync(temporary, "wx", mode);
  try {
    // A single write may take only a part, where the disk has room for no more.
    writeFileSync(descriptor, text);
    fsyncSync(descriptor);
    renameSync(temporary, file);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw cause;
  } finally {
    closeSync(descriptor);
  }
  syncFolder(dirname(file));
}

/** Makes what was created, renamed or removed in a folder durable. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** The text of a file, null where there is none. */
export function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return null;
    throw cause;
  }
}
