import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { err, failure, messageOf, ok, type Result } from "@siding/shared/result";
import { z } from "zod";
import { writeDurably } from "../data-dir/durable-file.ts";
import { Manifest, manifestKey } from "./backup.ts";
import { copyDatabase, moveDatabase, moveDurably, withDatabase } from "./database-file.ts";
import { EventReader, type LedgerDatabase, loadState } from "./store-rows.ts";

/** What is restored, and where the ledger is kept whose place it takes. */
export type Restored = Pick<Manifest, "at" | "events" | "artifacts"> & { readonly aside: string };

/** Where things are in the folder of a backup that is on its way into the place of a ledger. */
const files = { database: "ledger.db", order: "order.json" } as const;

/** `aside`: the name, beside it, of the ledger that has to make room. */
const Order = z.object({ aside: z.string().regex(/^[\w.-]+$/) });

const folders = (ledgerFile: string) => ({
  /** Being made ready: of no effect. */
  incoming: `${ledgerFile}.incoming`,
  /** Sound, and as good as done: whoever holds the data directory next puts it in place first. */
  pending: `${ledgerFile}.pending`,
});

/** Whether a sound backup waits to take the ledger's place. */
export function isRestorePending(ledgerFile: string): boolean {
  return existsSync(folders(ledgerFile).pending);
}

/**
 * Checks a backup, or a ledger that was kept aside, and orders that it takes the place of a ledger, which may be in use
 * meanwhile. The order is given at one instant: before it nothing has changed, after it {@link finishRestore} brings it
 * to its end, as often as that breaks off. Errors: `backup-invalid`, `restore-pending`, `restore-failed`.
 */
export async function orderRestore(
  backup: string,
  ledgerFile: string,
  at: string,
): Promise<Result<Restored>> {
  const { incoming, pending } = folders(ledgerFile);
  if (existsSync(pending)) return err(stillPending(pending));
  const database = join(incoming, files.database);
  const aside = `${basename(ledgerFile)}.before-${at.replaceAll(/[^0-9A-Za-z]/g, "")}`;
  try {
    rmSync(incoming, { recursive: true, force: true });
    mkdirSync(incoming, { recursive: true, mode: 0o700 });
    await copyDatabase(backup, database);
    const checked = checkIn(backup, database);
    if (!checked.ok) return checked;
    writeDurably(
      join(incoming, files.order),
      `${JSON.stringify({ aside } satisfies z.infer<typeof Order>)}\n`,
    );
    giveToOwner(incoming, dirname(ledgerFile));
    moveDurably(incoming, pending);
    return ok({ ...checked.value, aside: join(dirname(ledgerFile), aside) });
  } catch (cause) {
    const message = `${backup} was not restored, and nothing has changed: ${messageOf(cause)}`;
    return err(failure("restore-failed", message, cause));
  } finally {
    rmSync(incoming, { recursive: true, force: true });
  }
}

function stillPending(pending: string) {
  const message = `another backup is about to take the ledger's place (${pending}): the next start of the control plane does it. To call it off, delete that folder`;
  return failure("restore-pending", message);
}

/**
 * Carries out what was ordered, if anything was; only for whoever holds the data directory, before the ledger is opened.
 * Broken off anywhere, it goes on from there the next time: until the last rename the order stands. Gives where the old
 * ledger is kept; null where nothing was to be done. Errors: `restore-failed`.
 */
export function finishRestore(ledgerFile: string): Result<string | null> {
  const { pending } = folders(ledgerFile);
  const database = join(pending, files.database);
  try {
    const isOpen = existsSync(database);
    const aside = isOpen ? makeRoom(ledgerFile, join(pending, files.order)) : null;
    if (isOpen) moveDurably(database, ledgerFile);
    rmSync(pending, { recursive: true, force: true });
    return ok(aside);
  } catch (cause) {
    const message = `the backup in ${pending} could not be put in place: ${messageOf(cause)}. It is tried again at each start; to call it off, delete that folder`;
    return err(failure("restore-failed", message, cause));
  }
}

/** Moves the old ledger aside, unless that was done before. */
function makeRoom(ledgerFile: string, orderFile: string): string {
  const order = Order.parse(JSON.parse(readFileSync(orderFile, "utf8")));
  const aside = join(dirname(ledgerFile), order.aside);
  if (!existsSync(ledgerFile)) return aside;
  if (existsSync(aside)) throw new Error(`${aside} is there already; move it away`);
  moveDatabase(ledgerFile, aside);
  return aside;
}

/** Run by root, it leaves nothing that the control plane's own user could not open. */
function giveToOwner(folder: string, dataDir: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(dataDir);
  for (const path of [folder, ...Object.values(files).map((name) => join(folder, name))])
    chownSync(path, uid, gid);
}

/** Verifies the copy of a backup and takes off it what only a backup has. */
function checkIn(backup: string, file: string): Result<Omit<Restored, "aside">> {
  const checked = withDatabase(file, (database) => {
    const state = loadState(database);
    if (!state.ok) return state;
    const { sequence: events, artifacts } = state.value;
    if (events === 0) return err(failure("ledger-damaged", "it holds no event"));
    const at = takenAt(database, events);
    database.$client.prepare("DELETE FROM meta WHERE key = ?").run(manifestKey);
    return at.ok ? ok({ at: at.value, events, artifacts: [...artifacts.values()] }) : at;
  });
  if (checked.ok) return checked;
  const message = `${backup} is no sound backup, and nothing has changed: ${checked.error.message}`;
  return err(failure("backup-invalid", message, checked.error));
}

/** As the backup says; a ledger that was kept aside says nothing of itself, so its newest event does. */
function takenAt(database: LedgerDatabase, events: number): Result<string> {
  const row = database.$client.prepare("SELECT body FROM meta WHERE key = ?").get(manifestKey);
  if (row !== undefined) {
    return ok(Manifest.parse(JSON.parse(z.object({ body: z.string() }).parse(row).body)).at);
  }
  const newest = new EventReader(database).read({ after: events - 1, limit: 1 });
  return newest.ok ? ok(newest.value[0]?.at ?? "an unknown time") : newest;
}
