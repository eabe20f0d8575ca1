import { open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { messageOf } from "@siding/shared/result";
import { storageTrouble } from "../system/storage-failure.ts";

/** A file that could not be written: which, why, and what a person does about it. */
export class FileNotWritten extends Error {
  constructor(path: string, cause: unknown) {
    const next = storageTrouble(cause, dirname(path))?.message ?? "put that right";
    super(`${path} could not be written (${messageOf(cause)}): ${next}; it is tried again`, { cause });
  }
}

/**
 * Replaces a file's text as one step that survives a power cut: a reader sees the old or the new text, whole. Throws
 * {@link FileNotWritten}.
 */
export async function writeDurably(path: string, text: string): Promise<void> {
  // No `.conf` at the end: nginx must not read a half-written file.
  const draft = `${path}.draft`;
  try {
    await synced(draft, "w", (file) => file.writeFile(text));
    await rename(draft, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await rm(draft, { force: true });
    throw new FileNotWritten(path, cause);
  }
}

/** Makes the names in a folder survive a power cut. */
export function syncFolder(path: string): Promise<void> {
  return synced(path, "r", async () => {});
}

/** Writes only where the text differs. */
export async function ensureText(path: string, text: string): Promise<void> {
  if ((await textOf(path)) !== text) await writeDurably(path, text);
}

/** The file's text; null where there is none. */
export async function textOf(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

type File = Awaited<ReturnType<typeof open>>;

async function synced(path: string, flags: string, work: (file: File) => Promise<void>): Promise<void> {
  const file = await open(path, flags, 0o644);
  try {
    await work(file);
    await file.sync();
  } finally {
    await file.close();
  }
}
