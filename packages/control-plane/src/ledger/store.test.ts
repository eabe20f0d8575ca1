import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Report } from "@siding/shared/report";
import { ok } from "@siding/shared/result";
import { SpecInput } from "@siding/shared/spec";
import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import type { TimeSource } from "./clock.ts";
import { EventBody } from "./event.ts";
import { LogSync } from "./log-sync.ts";
import { type Ledger, openLedger } from "./store.ts";
import { rebuild } from "./store-rebuild.ts";

let file: string;
let time: { monotonic: number; wall: number };
let ledger: Ledger;

const source: TimeSource = { monotonicMs: () => time.monotonic, wallMs: () => time.wall };

beforeEach(() => {
  file = join(mkdtempSync(join(tmpdir(), "ledger-")), "ledger.db");
  time = { monotonic: 5_000, wall: Date.parse("2026-11-20T12:00:00Z") };
  ledger = open();
});

afterEach(() => ledger.close());

function open(): Ledger {
  const opened = openLedger(file, source);
  if (!opened.ok) throw new Error(opened.error.message);
  return opened.value;
}

function reopen(): Ledger {
  ledger.close();
  ledger = open();
  return ledger;
}

function commit(...bodies: readonly EventBody[]): void {
  const done = ledger.commit(ledger.state.sequence, bodies, "admin");
  if (!done.ok) throw new Error(done.error.message);
}

/** A connection of somebody else's, for what can go wrong with a file. */
function outside<T>(work: (database: Database.Database) => T): T {
  const database = new Database(file);
  try {
    return work(database);
  } finally {
    database.close();
  }
}

const like = (text: RegExp): unknown => expect.stringMatching(text);

const digest = `sha256:${"a".repeat(64)}`;
const started = (epoch: number) =>
  EventBody.parse({ type: "control-plane-started", epoch, controlPlaneId: `cp-${epoch}`, version: "0.1.0" });
const written = {
  name: "web",
  hosts: { match: { role: "web" } },
  run: { command: ["node", "server.js"] },
  port: 8080,
  health: { http: "/healthz" },
  edge: { match: { role: "edge" } },
};
const declared = EventBody.parse({
  type: "service-declared",
  spec: SpecInput.parse(written),
  written,
  specRevision: 1,
});
const artifact = EventBody.parse({ type: "artifact-registered", digest, sizeBytes: 12 });
const release = EventBody.parse({
  type: "release-registered",
  service: "web",
  version: "v1",
  digest,
  sizeBytes: 12,
});
const reported = (hostId: string): EventBody => {
  const report = Report.parse({
    v: 1,
    hostId,
    incarnation: "i1",
    sequence: 1,
    kind: "state",
    full: true,
    facts: {
      agentVersion: "0.1.0",
      hostname: hostId,
      address: "127.0.1.1",
      labels: { role: "web" },
      roles: ["host"],
      edgeAddresses: [],
      epochSeen: 1,
      revisionSeen: 1,
    },
    instances: [
      {
        service: "web",
        slot: "blue",
        revision: 0,
        command: null,
        staged: [],
        running: null,
        health: "unknown",
        trouble: { code: "gone", message: "exited" },
      },
    ],
    upstreams: [],
  });
  return EventBody.parse({ ...report, type: "host-reported", voided: [] });
};

test("what was committed is there after a restart, and the clock goes on from it", () => {
  time.monotonic += 2_500;
  commit(started(1), declared, artifact);
  commit(release, reported("h1"));
  const before = structuredClone(ledger.state);
  time.monotonic += 60_000;
  expect(structuredClone(reopen().state)).toEqual(before);
  expect(before).toMatchObject({ sequence: 5, elapsedMs: 2_500, epoch: 1, controlPlaneId: "cp-1" });
  expect(ledger.clock.nowMs()).toBe(2_500);
  time.monotonic += 100;
  expect(ledger.clock.nowMs()).toBe(2_600);
});

/** Counts how often the disk is waited for. */
function watchDisk() {
  const sync = vi.spyOn(LogSync.prototype, "sync");
  onTestFinished(() => sync.mockRestore());
  return sync;
}

test("the disk is waited for before anything is said, and not for what agents say again", () => {
  const sync = watchDisk();
  commit(started(1), declared);
  expect(sync).toHaveBeenCalledTimes(1);
  commit(reported("h1"));
  expect(sync).toHaveBeenCalledTimes(1);
  ledger.together(() => {
    commit(reported("h2"));
    commit(release);
    return ok(undefined);
  });
  expect(sync).toHaveBeenCalledTimes(2);
  expect(ledger.probe().ok).toBe(true);
  expect(sync).toHaveBeenCalledTimes(3);
});

test("a place that can't hold a write-ahead log is refused by name", () => {
  const opened = openLedger(":memory:", source);
  expect(opened).toMatchObject({ ok: false, error: { code: "ledger-unreadable" } });
  expect(opened).toMatchObject({
    error: { message: like(/write-ahead log \(SQLite stays with 'memory'\)/) },
  });
});

test("where the disk can't say that it is durable, nothing goes on as if it was", () => {
  const sync = watchDisk();
  sync.mockImplementation(() => {
    throw Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO" });
  });
  expect(() => commit(started(1))).toThrow("EIO");
});

test("each event carries its sequence, who, when, and its rollout's page holds it", () => {
  commit(started(1), artifact);
  const events = ledger.events({ after: 1, limit: 10 });
  expect(events).toEqual({
    ok: true,
    value: [{ sequence: 2, at: "2026-11-20T12:00:00.000Z", elapsedMs: 0, by: "admin", body: artifact }],
  });
  expect(ledger.events({ after: 0, limit: 10, rolloutId: "r-none" })).toEqual({ ok: true, value: [] });
});

test("a decision made on an older state is refused as stale and changes nothing", () => {
  commit(started(1));
  expect(ledger.commit(0, [artifact], "admin")).toMatchObject({ ok: false, error: { code: "stale" } });
  expect(ledger.state.artifacts.size).toBe(0);
});

test("a transaction that breaks off in its middle leaves neither events nor records, and the next one works", () => {
  commit(started(1), declared);
  outside((database) =>
    database.exec(
      "CREATE TRIGGER disk BEFORE INSERT ON hosts BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END",
    ),
  );
  const before = structuredClone(ledger.state);
  const heard: number[] = [];
  ledger.onCommit((events) => heard.push(events.length));
  expect(ledger.commit(2, [artifact, reported("h1"), release], "admin")).toMatchObject({
    ok: false,
    error: { code: "storage-failed", message: like(/disk is full/) },
  });
  expect(structuredClone(ledger.state)).toEqual(before);
  expect(heard).toEqual([]);
  outside((database) => database.exec("DROP TRIGGER disk"));
  commit(artifact, reported("h1"));
  expect(heard).toEqual([2]);
  expect(reopen().state.hosts.get("h1" as never)?.incarnation).toBe("i1");
});

test("a file that somebody else holds locked fails the commit by name", () => {
  commit(started(1));
  outside((database) => {
    database.exec("BEGIN IMMEDIATE");
    expect(ledger.commit(1, [artifact], "admin")).toMatchObject({
      ok: false,
      error: { code: "storage-failed", message: like(/SQLITE_BUSY/) },
    });
  });
  commit(artifact);
  expect(ledger.state.artifacts.size).toBe(1);
});

test("the log can't be edited, not even by hand", () => {
  commit(started(1));
  const edit = (sql: string) => () => outside((database) => database.exec(sql));
  expect(edit("UPDATE events SET by = 'nobody'")).toThrow("append-only");
  expect(edit("DELETE FROM events")).toThrow("append-only");
});

test("a rebuild makes from the log exactly what the live tables hold", () => {
  commit(started(1), declared, artifact, release, reported("h1"), reported("h2"));
  commit(started(2), reported("h1"));
  const live = structuredClone(ledger.state);
  ledger.close();
  expect(rebuild(file)).toEqual({
    ok: true,
    value: {
      events: 8,
      records: {
        hosts: 2,
        services: 1,
        releases: 1,
        artifacts: 1,
        upstreams: 0,
        rollouts: 0,
        idempotency: 0,
      },
      mended: [],
    },
  });
  ledger = open();
  expect(structuredClone(ledger.state)).toEqual(live);
});

test("a damaged record is refused with table, key and remedy, and the remedy works", () => {
  commit(started(1), declared, reported("h1"));
  const live = structuredClone(ledger.state);
  ledger.close();
  outside((database) => database.exec(`UPDATE hosts SET body = '{"hostId":1}'`));
  const opened = openLedger(file, source);
  expect(opened).toMatchObject({
    ok: false,
    error: { code: "ledger-damaged", message: like(/row 'h1' of table hosts.*rebuild/) },
  });
  expect(rebuild(file)).toMatchObject({ ok: true, value: { mended: ["hosts h1"] } });
  ledger = open();
  expect(structuredClone(ledger.state)).toEqual(live);
});

test("a head that lags behind its log is refused", () => {
  commit(started(1), artifact);
  ledger.close();
  outside((database) =>
    database.exec("UPDATE meta SET body = replace(body, '\"sequence\":2', '\"sequence\":1')"),
  );
  expect(openLedger(file, source)).toMatchObject({
    ok: false,
    error: { message: like(/the log ends at 2, the records at 1/) },
  });
  expect(rebuild(file)).toMatchObject({ ok: true });
  ledger = open();
});

test.each([
  [
    "INSERT INTO migrations VALUES (99, 'from the future', 'x', 'now')",
    "ledger-too-new",
    /ledger\.db has version 99.*knows up to 1/,
  ],
  [
    "UPDATE migrations SET digest = 'x' WHERE version = 1",
    "ledger-history-differs",
    /ledger\.db came to version 1/,
  ],
])("a history that this release does not know is refused: %s", (sql, code, message) => {
  ledger.close();
  outside((database) => database.exec(sql));
  expect(openLedger(file, source)).toMatchObject({
    ok: false,
    error: { code, message: like(message) },
  });
});

test("somebody else's database, and what is none at all, are refused", () => {
  const other = `${file}.other`;
  const database = new Database(other);
  database.exec("CREATE TABLE recipes (name TEXT)");
  database.close();
  expect(openLedger(other, source)).toMatchObject({ ok: false, error: { code: "ledger-not-ours" } });
  const text = `${file}.txt`;
  writeFileSync(text, "this is no database, but it is longer than a header ".repeat(40));
  expect(openLedger(text, source)).toMatchObject({ ok: false, error: { code: "ledger-unreadable" } });
});
