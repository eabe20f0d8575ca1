import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { TableName } from "./state.ts";

/** The log. Rows are only ever added: triggers of the first migration refuse anything else. */
export const eventsTable = sqliteTable(
  "events",
  {
    sequence: integer("sequence").primaryKey(),
    at: text("at").notNull(),
    elapsedMs: integer("elapsed_ms").notNull(),
    by: text("by").notNull(),
    type: text("type").notNull(),
    rolloutId: text("rollout_id"),
    body: text("body").notNull(),
  },
  (table) => [index("events_by_rollout").on(table.rolloutId, table.sequence)],
);

/** One kind of record: what the fold made of the log, as JSON. */
function recordTable(name: TableName) {
  return sqliteTable(name, {
    key: text("key").primaryKey(),
    body: text("body").notNull(),
  });
}
type RecordTable = ReturnType<typeof recordTable>;

export const recordTables: Readonly<Record<TableName, RecordTable>> = {
  hosts: recordTable("hosts"),
  services: recordTable("services"),
  releases: recordTable("releases"),
  artifacts: recordTable("artifacts"),
  upstreams: recordTable("upstreams"),
  rollouts: recordTable("rollouts"),
  idempotency: recordTable("idempotency"),
};

export const tableNames = Object.keys(recordTables) as readonly TableName[];

/** Single values: the row `head` says where the log ends and who writes it. */
export const metaTable = sqliteTable("meta", {
  key: text("key").primaryKey(),
  body: text("body").notNull(),
});
