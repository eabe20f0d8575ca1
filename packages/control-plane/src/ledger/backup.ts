import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { err, failure, messageOf, ok, type Result } from "@siding/shared/result";
import Database from "better-sqlite3";
import { z } from "zod";
import { syncFolder } from "../data-dir/durable-file.ts";
import { openDatabase } from "./store.ts";
import { loadState } from "./store-rows.ts";

/** What a backup says of itself, and which artifacts it needs besides: those are files of their own. */
const Manifest = z.object({
  at: z.string(),
  version: z.string(),
  events: z.int(),
  artifacts: z.array(z.object({ digest: z.string(), sizeBytes: z.int() })),
});
export type Manifest = z.infer<typeof Manifest>;

const manifestKey = "backup";

/** All pages at once: copied in parts, each commit meanwhile would make it begin anew. */
const wholeAtOncePages = 2 ** 31 - 1;

/**
 * Copies a ledger into one file, verified, while a control plane works on it or not. Errors: `backup-exists`,
 * `backup-failed`, and those of reading a ledger.
 */
export async function backUp(
  ledgerFile: string,
  target: string,
  context: { readonly at: string; readonly version: string },
): Promise<Result<Manifest>> {
  if (existsSync(target))
    return err(failure("backup-exists", `${target} is there already; name another file`));
  if (!existsSync(ledgerFile))
    return err(failure("backup-failed", `there is no ledger at ${ledgerFile} yet`));
  const partial = `${target}.partial`;
  try {
    await copy(ledgerFile, partial);
    const manifest = signOff(partial, context);
    if (manifest.ok) moveDurably(partial, target);
    return manifest;
  } catch (cause) {
    return err(failure("backup-failed", `no backup was made: ${messageOf(cause)}`, cause));
  } finally {
    removeDatabase(partial);
  }
}

/**
 * Puts a backup in the place of a ledger that no control plane works on; what stood there is kept beside it. Errors:
 * `ledger-exists` unless forced, `backup-invalid`, `restore-failed`.
 */
export async function restore(
  backup: string,
  ledgerFile: string,
  { force, at }: { readonly force: boolean; readonly at: string },
): Promise<Result<{ readonly manifest: Manifest; readonly aside: string | null }>> {
  const isThere = existsSync(ledgerFile);
  if (isThere && !force) {
    const advice = "with --force it is moved aside and the backup takes its place";
    return err(failure("ledger-exists", `${ledgerFile} is a ledger already; ${advice}`));
  }
  const incoming = `${ledgerFile}.restoring`;
  try {
    removeDatabase(incoming);
    await copy(backup, incoming);
    const manifest = checkIn(incoming);
    if (!manifest.ok) return manifest;
    const aside = isThere ? `${ledgerFile}.before-${at.replaceAll(/[^0-9A-Za-z]/g, "")}` : null;
    if (aside) moveDatabase(ledgerFile, aside);
    moveDurably(incoming, ledgerFile);
    return ok({ manifest: manifest.value, aside });
  } catch (cause) {
    return err(failure("restore-failed", `${backup} was not restored: ${messageOf(cause)}`, cause));
  } finally {
    removeDatabase(incoming);
  }
}

async function copy(from: string, to: string): Promise<void> {
  const source = new Database(from, { readonly: true, fileMustExist: true });
  try {
    await source.backup(to, { progress: () => wholeAtOncePages });
  } finally {
    source.close();
  }
}

/** Verifies the copy and writes into it what it is. */
function signOff(
  file: string,
  { at, version }: { readonly at: string; readonly version: string },
): Result<Manifest> {
  return withDatabase(file, (database) => {
    const state = loadState(database);
    if (!state.ok) return state;
    const artifacts = [...state.value.artifacts.values()];
    const manifest = { at, version, events: state.value.sequence, artifacts };
    database.$client
      .prepare("INSERT INTO meta (key, body) VALUES (?, ?) ON CONFLICT DO UPDATE SET body = excluded.body")
      .run(manifestKey, JSON.stringify(manifest));
    return ok(manifest);
  });
}

/** Verifies the copy of a backup and takes off it what only a backup has. */
function checkIn(file: string): Result<Manifest> {
  const checked = withDatabase(file, (database) => {
    const state = loadState(database);
    if (!state.ok) return state;
    const row = database.$client.prepare("SELECT body FROM meta WHERE key = ?").get(manifestKey);
    const manifest = Manifest.parse(JSON.parse(z.object({ body: z.string() }).parse(row).body));
    database.$client.prepare("DELETE FROM meta WHERE key = ?").run(manifestKey);
    return ok(manifest);
  });
  if (checked.ok) return checked;
  return err(failure("backup-invalid", `this is no sound backup: ${checked.error.message}`, checked.error));
}

/** Works on a copy as on a ledger: its history is one that we know, and every page of it is sound. */
function withDatabase<T>(
  file: string,
  work: (database: Parameters<typeof loadState>[0]) => Result<T>,
): Result<T> {
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

function moveDurably(from: string, to: string): void {
  const descriptor = openSync(from, "r");
  fsyncSync(descriptor);
  closeSync(descriptor);
  renameSync(from, to);
  syncFolder(dirname(to));
}

/** A database is three files as long as somebody has not closed it in order. */
const suffixes = ["", "-wal", "-shm"];

function moveDatabase(from: string, to: string): void {
  for (const suffix of suffixes.filter((each) => existsSync(`${from}${each}`))) {
    renameSync(`${from}${suffix}`, `${to}${suffix}`);
  }
}

function removeDatabase(file: string): void {
  for (const suffix of [...suffixes, "-journal"]) rmSync(`${file}${suffix}`, { force: true });
}
