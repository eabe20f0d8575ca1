import { ControlPlaneId } from "@siding/shared/ids";
import { err, type Failure, failure, messageOf, ok, type Result } from "@siding/shared/result";
import type Database from "better-sqlite3";
import { and, asc, eq, gt, max, type SQL, sql } from "drizzle-orm";
import type { BetterSQLite3Database } from "drizzle-orm/better-sqlite3";
import { z } from "zod";
import { RolloutRecord } from "../rollout/record.ts";
import { EventBody, type LedgerEvent, rolloutOf } from "./event.ts";
import {
  ArtifactRecord,
  Behind,
  emptyState,
  HostRecord,
  IdempotencyRecord,
  type LedgerState,
  ReleaseRecord,
  ServiceRecord,
  type TableName,
  type Touched,
  UpstreamRecord,
} from "./state.ts";
import { eventsTable, metaTable, recordTables, tableNames } from "./tables.ts";

/** Drizzle, and the connection below it for what it has no words for. */
export type LedgerDatabase = BetterSQLite3Database & { readonly $client: Database.Database };

const schemas: Readonly<Record<TableName, z.ZodType>> = {
  hosts: HostRecord,
  services: ServiceRecord,
  releases: ReleaseRecord,
  artifacts: ArtifactRecord,
  upstreams: UpstreamRecord,
  rollouts: RolloutRecord,
  idempotency: IdempotencyRecord,
};

const Head = z.object({
  sequence: z.int(),
  elapsedMs: z.number(),
  epoch: z.int(),
  controlPlaneId: ControlPlaneId.nullable(),
  behind: Behind.nullable().default(null),
  restoredEpoch: z.int().default(0),
});
const headKey = "head";

/** The records of one kind, seen without their types: keys and values are what `schemas` has just judged. */
export function recordsOf(state: LedgerState, table: TableName): Map<string, unknown> {
  return state[table] as Map<string, unknown>;
}

/** Reads the state that the tables hold. Errors: `ledger-damaged`, naming table and key. */
export function loadState(database: LedgerDatabase): Result<LedgerState> {
  const state = emptyState();
  for (const table of tableNames) {
    for (const row of database.select().from(recordTables[table]).all()) {
      const record = parseBody(schemas[table], `row '${row.key}' of table ${table}`, row.body);
      if (!record.ok) return record;
      recordsOf(state, table).set(row.key, record.value);
    }
  }
  return loadHead(database, state);
}

function loadHead(database: LedgerDatabase, state: LedgerState): Result<LedgerState> {
  const row = database.select().from(metaTable).where(eq(metaTable.key, headKey)).get();
  const last = lastSequence(database);
  if (!row) return last === 0 ? ok(state) : err(damaged("row 'head' of table meta", "it is missing"));
  const head = parseBody(Head, "row 'head' of table meta", row.body);
  if (!head.ok) return head;
  if (head.value.sequence !== last) {
    return err(
      damaged("row 'head' of table meta", `the log ends at ${last}, the records at ${head.value.sequence}`),
    );
  }
  Object.assign(state, head.value);
  return ok(state);
}

function lastSequence(database: LedgerDatabase): number {
  const row = database
    .select({ last: max(eventsTable.sequence) })
    .from(eventsTable)
    .get();
  return row?.last ?? 0;
}

/** The statements that write, prepared once: a commit is on the path of every step of a rollout. */
export class RowWriter {
  readonly #event: Prepared;
  readonly #head: Prepared;
  readonly #records: Readonly<Record<TableName, Prepared>>;
  readonly #removals: Readonly<Record<TableName, Prepared>>;

  constructor(database: LedgerDatabase) {
    const { placeholder } = sql;
    this.#event = database
      .insert(eventsTable)
      .values({
        sequence: placeholder("sequence"),
        at: placeholder("at"),
        elapsedMs: placeholder("elapsedMs"),
        by: placeholder("by"),
        type: placeholder("type"),
        rolloutId: placeholder("rolloutId"),
        body: placeholder("body"),
      })
      .prepare();
    const upsert = (table: typeof metaTable | (typeof recordTables)[TableName]) =>
      database
        .insert(table)
        .values({ key: placeholder("key"), body: placeholder("body") })
        .onConflictDoUpdate({ target: table.key, set: { body: sql`excluded.body` } })
        .prepare();
    this.#head = upsert(metaTable);
    const remove = (table: (typeof recordTables)[TableName]) =>
      database
        .delete(table)
        .where(eq(table.key, placeholder("key")))
        .prepare();
    const eachTable = (prepare: (table: (typeof recordTables)[TableName]) => Prepared) =>
      Object.fromEntries(tableNames.map((name) => [name, prepare(recordTables[name])])) as Record<
        TableName,
        Prepared
      >;
    this.#records = eachTable(upsert);
    this.#removals = eachTable(remove);
  }

  append(events: readonly LedgerEvent[]): void {
    for (const event of events) this.#event.run(rowOf(event));
  }

  /** Stores the records that were replaced or removed by events; in the same transaction as these. */
  store(state: LedgerState, touched: Iterable<Touched>): void {
    for (const { table, key } of touched) this.record(state, table, key);
    this.head(state);
  }

  /** Stores a record, or removes it where the state has it no more. */
  record(state: LedgerState, table: TableName, key: string): void {
    const record = recordsOf(state, table).get(key);
    if (record === undefined) this.#removals[table].run({ key });
    else this.#records[table].run({ key, body: JSON.stringify(record) });
  }

  head(state: LedgerState): void {
    const { sequence, elapsedMs, epoch, controlPlaneId, behind, restoredEpoch } = state;
    const body = JSON.stringify({ sequence, elapsedMs, epoch, controlPlaneId, behind, restoredEpoch });
    this.#head.run({ key: headKey, body });
  }
}

/** What we need of drizzle's prepared queries, whose own types differ by table. */
interface Prepared {
  readonly run: (values: Record<string, unknown>) => unknown;
}

function rowOf(event: LedgerEvent): Required<typeof eventsTable.$inferInsert> {
  const { sequence, at, elapsedMs, by, body } = event;
  return {
    sequence,
    at,
    elapsedMs,
    by,
    type: body.type,
    rolloutId: rolloutOf(body),
    body: JSON.stringify(body),
  };
}

export interface EventQuery {
  /** Exclusive. */
  readonly after: number;
  readonly limit: number;
  readonly rolloutId?: string;
}

/** The statements that read the log, prepared once: whoever watches a rollout reads after each of its commits. */
export class EventReader {
  readonly #all: ReturnType<typeof pageOf>;
  readonly #ofRollout: ReturnType<typeof pageOf>;

  constructor(database: LedgerDatabase) {
    const later = gt(eventsTable.sequence, sql.placeholder("after"));
    this.#all = pageOf(database, later);
    this.#ofRollout = pageOf(database, and(eq(eventsTable.rolloutId, sql.placeholder("rolloutId")), later));
  }

  /** A page of the log in its order. Errors: `ledger-damaged`, naming the event. */
  read({ after, limit, rolloutId }: EventQuery): Result<readonly LedgerEvent[]> {
    const page = { after, limit };
    const rows = rolloutId === undefined ? this.#all.all(page) : this.#ofRollout.all({ ...page, rolloutId });
    const events: LedgerEvent[] = [];
    for (const { sequence, at, elapsedMs, by, body } of rows) {
      const parsed = parseBody(EventBody, `event ${sequence}`, body);
      if (!parsed.ok) return parsed;
      events.push({ sequence, at, elapsedMs, by, body: parsed.value });
    }
    return ok(events);
  }
}

function pageOf(database: LedgerDatabase, which: SQL | undefined) {
  const page = database.select().from(eventsTable).where(which).orderBy(asc(eventsTable.sequence));
  return page.limit(sql.placeholder("limit")).prepare();
}

function parseBody<S extends z.ZodType>(schema: S, what: string, text: string): Result<z.output<S>> {
  try {
    const parsed = schema.safeParse(JSON.parse(text));
    if (parsed.success) return ok(parsed.data);
    const first = parsed.error.issues[0];
    return err(damaged(what, `${first?.path.join(".")}: ${first?.message}`, parsed.error));
  } catch (cause) {
    return err(damaged(what, `not JSON: ${messageOf(cause)}`, cause));
  }
}

function damaged(what: string, why: string, cause?: unknown): Failure {
  return failure("ledger-damaged", `${what} can't be read: ${why}`, cause);
}
