import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { EventBody } from "../ledger/event.ts";
import type { LedgerState } from "../ledger/state.ts";
import { type Ledger, openLedger } from "../ledger/store.ts";
import type { Deliberation } from "./deliberation.ts";
import { Orchestrator } from "./loop.ts";

let file: string;
let ledger: Ledger;
let decide: (state: LedgerState) => Deliberation;
let published: number[];
let orchestrator: Orchestrator;
let decided: number;

beforeEach(() => {
  file = join(mkdtempSync(join(tmpdir(), "loop-")), "ledger.db");
  const opened = openLedger(file, { monotonicMs: () => performance.now(), wallMs: () => 0 });
  if (!opened.ok) throw new Error(opened.error.message);
  ledger = opened.value;
  [published, decided] = [[], 0];
  decide = () => nothing;
  orchestrator = new Orchestrator({
    ledger,
    live: () => ({ connectedSinceMs: 0, beats: new Map() }),
    decide: (state) => {
      decided += 1;
      return decide(state);
    },
    dispatch: (state) => {
      published.push(state.sequence);
      return null;
    },
    log: pino({ level: "silent" }),
  });
});

afterEach(() => {
  orchestrator.stop();
  ledger.close();
});

const nothing: Deliberation = { events: [], wakeAtMs: null };
/** Wants so many artifacts, two a pass, until they are there. */
const wanting =
  (wanted: number) =>
  (state: LedgerState): Deliberation => {
    const have = state.artifacts.size;
    const events = [have + 1, have + 2].filter((count) => count <= wanted).map(artifact);
    return { events, wakeAtMs: null };
  };
const artifact = (count: number) =>
  EventBody.parse({
    type: "artifact-registered",
    digest: `sha256:${String(count).padStart(64, "0")}`,
    sizeBytes: 1,
  });

test("a round decides until nothing more comes, and publishes once, after the commits", async () => {
  decide = wanting(3);
  orchestrator.wake();
  orchestrator.wake();
  await vi.waitFor(() => expect(published).toEqual([3]));
  expect(decided).toBe(3);
});

test("it sleeps until the instant that the decision names", async () => {
  const wakeAtMs = ledger.clock.nowMs() + 30;
  decide = () => (ledger.clock.nowMs() < wakeAtMs ? { events: [], wakeAtMs } : nothing);
  orchestrator.wake();
  await vi.waitFor(() => expect(published).toHaveLength(2));
  expect(ledger.clock.nowMs()).toBeGreaterThanOrEqual(wakeAtMs);
  expect(decided).toBe(2);
});

test("a loop that sleeps owes nothing; one that does not get to its round says for how long", async () => {
  decide = () => ({ events: [], wakeAtMs: ledger.clock.nowMs() + 60_000 });
  orchestrator.wake();
  await vi.waitFor(() => expect(published).toHaveLength(1));
  expect(orchestrator.overdueMs).toBe(0);
  decide = () => {
    owed = orchestrator.overdueMs;
    return nothing;
  };
  let owed = -1;
  orchestrator.wake();
  // Nothing else gets its turn meanwhile, the round neither.
  while (orchestrator.overdueMs === 0);
  await vi.waitFor(() => expect(owed).toBe(0));
});

test("what a person says is committed at once and wakes the loop", async () => {
  expect(orchestrator.commit([artifact(1)], "admin")).toMatchObject({ ok: true, value: [{ by: "admin" }] });
  await vi.waitFor(() => expect(published).toEqual([1]));
});

test("what is heard and what follows from it become durable by one write, before anything is published", async () => {
  const writes: string[][] = [];
  ledger.onCommit((events) => {
    expect(published).toEqual([]);
    writes.push(events.map(({ by }) => by));
  });
  decide = wanting(4);
  const taken: number[] = [];
  for (const count of [1, 2]) {
    const news = (state: LedgerState) => {
      taken.push(state.artifacts.size);
      return [artifact(count)];
    };
    orchestrator.hear({ news, by: `agent:h${count}`, unheard: () => expect.fail("it was heard") });
  }
  await vi.waitFor(() => expect(published).toEqual([4]));
  expect(writes).toEqual([["agent:h1", "agent:h2", "orchestrator", "orchestrator"]]);
  expect(taken).toEqual([0, 1]);
});

test("decisions that undo each other do not keep the machine busy", async () => {
  decide = wanting(Number.POSITIVE_INFINITY);
  orchestrator.wake();
  await vi.waitFor(() => expect(published).toEqual([400]));
});

test("what a person could not say makes it unready only as long as the ledger can't be written", async () => {
  const disk = new Database(file);
  disk.exec("BEGIN IMMEDIATE");
  expect(orchestrator.commit([artifact(1)], "admin").ok).toBe(false);
  expect(orchestrator.storageFailure?.message).toContain("SQLITE_BUSY");
  disk.exec("COMMIT");
  disk.close();
  await vi.waitFor(() => expect(orchestrator.storageFailure).toBeNull(), { timeout: 5_000 });
  expect(ledger.state.sequence).toBe(0);
});

test("while the ledger can't be written nothing is published; it is tried again until it can", async () => {
  const disk = new Database(file);
  disk.exec(
    "CREATE TRIGGER disk BEFORE INSERT ON events BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END",
  );
  decide = wanting(1);
  orchestrator.wake();
  await vi.waitFor(() => expect(orchestrator.storageFailure?.code).toBe("storage-failed"));
  expect(orchestrator.commit([artifact(2)], "admin").ok).toBe(false);
  const unheard = vi.fn();
  orchestrator.hear({ news: () => [artifact(3)], by: "agent:h1", unheard });
  await vi.waitFor(() => expect(unheard).toHaveBeenCalledOnce());
  expect(published).toEqual([]);
  expect(ledger.state.sequence).toBe(0);
  disk.exec("DROP TRIGGER disk");
  disk.close();
  await vi.waitFor(() => expect(published).toEqual([1]), { timeout: 5_000 });
  expect(orchestrator.storageFailure).toBeNull();
});
