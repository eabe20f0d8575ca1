import { contentDigest } from "@siding/shared/digest";
import { err, type Failure, failure, ok, type Result } from "@siding/shared/result";
import type Database from "better-sqlite3";
import { z } from "zod";

/** One step of the ledger's history. What was once released is never edited: a mistake is mended by the next one. */
interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
}

const records = ["hosts", "services", "releases", "artifacts", "upstreams", "rollouts", "idempotency"];

const migrations: readonly Migration[] = [
  {
    version: 1,
    name: "the log and its records",
    sql: [
      `CREATE TABLE events (
        sequence INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        elapsed_ms INTEGER NOT NULL,
        by TEXT NOT NULL,
        type TEXT NOT NULL,
        rollout_id TEXT,
        body TEXT NOT NULL
      ) STRICT`,
      "CREATE INDEX events_by_rollout ON events (rollout_id, sequence)",
      `CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events
        BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END`,
      `CREATE TRIGGER events_are_never_removed BEFORE DELETE ON events
        BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END`,
      ...records.map(
        (name) => `CREATE TABLE ${name} (key TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID`,
      ),
      "CREATE TABLE meta (key TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID",
    ].join(";\n"),
  },
];

const newest = migrations.length;

const Applied = z.object({ version: z.int(), name: z.string(), digest: z.string() });
type Applied = z.infer<typeof Applied>;

/**
 * Brings the tables of a ledger to the newest version, each step in a transaction of its own. A history that this
 * release does not know (a newer one's, or an edited one) is refused: reading it wrongly would be worse than not
 * starting. Errors: `ledger-not-ours`, `ledger-too-new`, `ledger-history-differs`.
 */
export function migrate(database: Database.Database, file: string): Result<number> {
  const known = readHistory(database, file);
  if (!known.ok) return known;
  const refused = known.value.map((step) => refusalOf(step, file)).find((refusal) => refusal !== null);
  if (refused) return err(refused);
  const done = new Set(known.value.map((step) => step.version));
  for (const migration of migrations.filter((step) => !done.has(step.version))) apply(database, migration);
  return ok(newest);
}

function apply(database: Database.Database, migration: Migration): void {
  const step = database.transaction(() => {
    database.exec(migration.sql);
    database
      .prepare("INSERT INTO migrations (version, name, digest, at) VALUES (?, ?, ?, datetime('now'))")
      .run(migration.version, migration.name, digestOf(migration));
  });
  step.immediate();
}

function readHistory(database: Database.Database, file: string): Result<readonly Applied[]> {
  const tables = z
    .array(z.object({ name: z.string() }))
    .parse(database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all());
  const isNew = tables.length === 0;
  if (!isNew && !tables.some((table) => table.name === "migrations")) {
    return err(failure("ledger-not-ours", `${file} is a database, but not a ledger of Siding`));
  }
  database.exec(
    "CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, name TEXT, digest TEXT, at TEXT) STRICT",
  );
  const rows = database.prepare("SELECT version, name, digest FROM migrations ORDER BY version").all();
  return ok(z.array(Applied).parse(rows));
}

function refusalOf(step: Applied, file: string): Failure | null {
  const ours = migrations.find((migration) => migration.version === step.version);
  if (!ours) {
    return failure(
      "ledger-too-new",
      `${file} has version ${step.version} ("${step.name}"); this release knows up to ${newest}. ` +
        "Start the newer release that wrote it, or restore a backup from before its upgrade.",
    );
  }
  if (digestOf(ours) === step.digest) return null;
  return failure(
    "ledger-history-differs",
    `${file} came to version ${step.version} ("${step.name}") by other steps than this release's ("${ours.name}"). ` +
      "It was written by another build of Siding; start that one.",
  );
}

function digestOf(migration: Migration): string {
  return contentDigest(migration.sql);
}
