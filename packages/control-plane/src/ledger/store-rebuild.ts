import { canonicalJson } from "@siding/shared/digest";
import { ok, type Result } from "@siding/shared/result";
import { fold } from "./fold.ts";
import { emptyState, type LedgerState, type TableName } from "./state.ts";
import { openDatabase } from "./store.ts";
import { EventReader, type LedgerDatabase, RowWriter, recordsOf } from "./store-rows.ts";
import { recordTables, tableNames } from "./tables.ts";

/** Events that are folded per read: bounds memory, however long the log is. */
const pageSize = 1_000;

export interface RebuildReport {
  readonly events: number;
  readonly records: Readonly<Record<TableName, number>>;
  /** Records that the tables held otherwise than the log says: `rollouts r-1`. */
  readonly mended: readonly string[];
}

/**
 * Makes every record again from the log, in one transaction: the way out where a table is damaged or a fold was wrong.
 * Errors: those of opening, and `ledger-damaged` where an event itself can't be read.
 */
export function rebuild(file: string): Result<RebuildReport> {
  const opened = openDatabase(file);
  if (!opened.ok) return opened;
  const database = opened.value;
  try {
    const folded = foldLog(database);
    if (!folded.ok) return folded;
    const { state, events } = folded.value;
    const replace = () => ({ events, ...replaceRecords(database, state) });
    return ok(database.transaction(replace, { behavior: "immediate" }));
  } finally {
    database.$client.close();
  }
}

/** The state that the whole log says. */
function foldLog(database: LedgerDatabase): Result<{ readonly state: LedgerState; readonly events: number }> {
  const reader = new EventReader(database);
  const state = emptyState();
  let events = 0;
  for (;;) {
    const page = reader.read({ after: state.sequence, limit: pageSize });
    if (!page.ok) return page;
    for (const event of page.value) fold(state, event);
    events += page.value.length;
    if (page.value.length < pageSize) return ok({ state, events });
  }
}

function replaceRecords(database: LedgerDatabase, state: LedgerState): Omit<RebuildReport, "events"> {
  const counts = tableNames.map((table) => [table, recordsOf(state, table).size] as const);
  const writer = new RowWriter(database);
  const mended = tableNames.flatMap((table) => mendTable(database, writer, state, table));
  writer.head(state);
  return {
    records: Object.fromEntries(counts) as Record<TableName, number>,
    mended,
  };
}

function mendTable(
  database: LedgerDatabase,
  writer: RowWriter,
  state: LedgerState,
  table: TableName,
): readonly string[] {
  const wanted = recordsOf(state, table);
  const stored = new Map(
    database
      .select()
      .from(recordTables[table])
      .all()
      .map((row) => [row.key, row.body]),
  );
  const differing = [...new Set([...wanted.keys(), ...stored.keys()])].filter(
    (key) => comparable(JSON.stringify(wanted.get(key))) !== comparable(stored.get(key)),
  );
  database.delete(recordTables[table]).run();
  for (const key of wanted.keys()) writer.record(state, table, key);
  return differing.map((key) => `${table} ${key}`);
}

/** A body whatever the order of its keys; broken ones compare as the text that they are. */
function comparable(body: string | undefined): string {
  try {
    return body === undefined ? "" : canonicalJson(JSON.parse(body));
  } catch {
    return body ?? "";
  }
}
