import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { err, failure, messageOf, type Result } from "@siding/shared/result";
import Database from "better-sqlite3";
import { syncFolder } from "../data-dir/durable-file.ts";
import { openDatabase } from "./store.ts";
import type { LedgerDatabase } from "./store-rows.ts";

/** All pages at once: copied in parts, each commit meanwhile would make it begin anew. */
const wholeAtOncePages = 2 ** 31 - 1;

/** Copies a database as it is at one instant, also while somebody works on it. Errors: throws. */
export async function copyDatabase(from: string, to: string): Promise<void> {
  const source = new Database(from, { readonly: true, fileMustExist: true });
  try {
    await source.backup(to, { progress: () => wholeAtOncePages });
  } finally {
    source.close();
  }
}

/** Works on a copy as on a ledger: its history is one that we know, and every page of it is sound. */
export function withDatabase<T>(file: string, work: (database: LedgerDatabase) => Result<T>): Result<T> {
  const opened = openDatabase(file);
  if (!opened.ok) return opened;
  const { $client: client } = opened.value;
  try {
    const verdict = client.pragma("integrity_check", { simple: true });
    if (verdict !== "ok") return err(failure("ledger-damaged", `SQLite says: ${String(verdict)}`));
    const done = work(opened.value);
    // One file, with nothing beside it that could be left behind.
    client.pragma("journal_mode = DELETE");
    return done;
  } catch (cause) {
    return err(failure("ledger-damaged", messageOf(cause), cause));
  } finally {
    client.close();
  }
}

/** Renames a database that is one file, for good. */
export function moveDurably(from: string, to: string): void {
  syncFile(from);
  renameSync(from, to);
  syncFolder(dirname(to));
}

function syncFile(file: string): void {
  const descriptor = openSync(file, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** What is not in the main file yet, as long as nobody has closed the database in order. */
const log = "-wal";
/** Made anew from the log by whoever opens the database next. */
const index = "-shm";

/** Renames a database that nobody has open, with its log. Interrupted, it is done by doing it again. */
export function moveDatabase(from: string, to: string): void {
  // The main file last: as long as it is there, there is something left to move.
  if (existsSync(`${from}${log}`)) renameSync(`${from}${log}`, `${to}${log}`);
  rmSync(`${from}${index}`, { force: true });
  moveDurably(from, to);
}

export function removeDatabase(file: string): void {
  for (const suffix of ["", log, index, "-journal"]) rmSync(`${file}${suffix}`, { force: true });
}
