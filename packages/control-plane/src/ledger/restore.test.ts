import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ControlPlaneId } from "@siding/shared/ids";
import Database from "better-sqlite3";
import { beforeEach, expect, test } from "vitest";
import { backUp } from "./backup.ts";
import { finishRestore, isRestorePending, orderRestore } from "./restore.ts";
import { openLedger } from "./store.ts";

const time = { monotonicMs: () => 0, wallMs: () => 0 };
const at = "2026-11-20T12:00:00.000Z";
/** The ledger is at 5 events, some of them in its log only, as after a kill; the backup at 2. */
const events = { ledger: 5, backup: 2 };

let folder: string;
let ledger: string;
let backup: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "restore-"));
  ledger = join(folder, "ledger.db");
  backup = join(folder, "a.backup");
  const living = join(folder, "living.db");
  const opened = openLedger(living, time);
  if (!opened.ok) throw new Error(opened.error.message);
  const start = (epoch: number) => {
    const controlPlaneId = ControlPlaneId.parse(`cp-${epoch}`);
    const event = { type: "control-plane-started", epoch, controlPlaneId, version: "0.1.0" } as const;
    opened.value.commit(opened.value.state.sequence, [event], "test");
  };
  for (let epoch = 1; epoch <= events.ledger; epoch += 1) {
    start(epoch);
    if (epoch === events.backup) await backUp(living, backup, { at, version: "0.1.0" });
  }
  for (const suffix of ["", "-wal", "-shm"]) copyFileSync(`${living}${suffix}`, `${ledger}${suffix}`);
  opened.value.close();
  rmSync(living);
});

function eventsIn(file: string): number {
  const opened = openLedger(file, time);
  if (!opened.ok) throw new Error(opened.error.message);
  const { sequence } = opened.value.state;
  opened.value.close();
  return sequence;
}

const aside = () => join(folder, "ledger.db.before-20261120T120000000Z");

function expectRestored(): void {
  expect(isRestorePending(ledger)).toBe(false);
  expect([eventsIn(ledger), eventsIn(aside())]).toEqual([events.backup, events.ledger]);
  expect(readdirSync(folder).filter((name) => name.includes("incoming") || name.includes("pending"))).toEqual(
    [],
  );
}

test("a backup takes the ledger's place, which is kept aside whole, and back again", async () => {
  expect(await orderRestore(backup, ledger, at)).toMatchObject({
    ok: true,
    value: { events: 2, at, aside: aside() },
  });
  expect(finishRestore(ledger)).toEqual({ ok: true, value: aside() });
  expectRestored();
  expect(finishRestore(ledger)).toEqual({ ok: true, value: null });
  expect(await orderRestore(aside(), ledger, "later")).toMatchObject({ ok: true, value: { events: 5 } });
  expect(finishRestore(ledger).ok).toBe(true);
  expect(eventsIn(ledger)).toBe(events.ledger);
});

test("where there is no ledger yet, there is nothing to keep", async () => {
  for (const suffix of ["", "-wal", "-shm"]) rmSync(`${ledger}${suffix}`);
  expect((await orderRestore(backup, ledger, at)).ok).toBe(true);
  expect(finishRestore(ledger).ok).toBe(true);
  expect([eventsIn(ledger), existsSync(aside())]).toEqual([events.backup, false]);
});

/** What a power cut leaves, after each of the renames that a restore consists of. */
const brokenOff: readonly [string, () => void][] = [
  ["the order is given", () => {}],
  ["the old log is moved", () => renameSync(`${ledger}-wal`, `${aside()}-wal`)],
  [
    "the old ledger is moved",
    () => {
      for (const suffix of ["-wal", ""]) renameSync(`${ledger}${suffix}`, `${aside()}${suffix}`);
    },
  ],
  [
    "the backup is moved",
    () => {
      for (const suffix of ["-wal", ""]) renameSync(`${ledger}${suffix}`, `${aside()}${suffix}`);
      rmSync(`${ledger}-shm`);
      renameSync(join(`${ledger}.pending`, "ledger.db"), ledger);
    },
  ],
];

test.each(brokenOff)(
  "broken off when %s, it is brought to its end by the next start",
  async (_, breakOff) => {
    expect((await orderRestore(backup, ledger, at)).ok).toBe(true);
    breakOff();
    expect(finishRestore(ledger).ok).toBe(true);
    expectRestored();
  },
);

test("broken off before that, nothing has changed, and nothing is in the way of the next one", async () => {
  expect((await orderRestore(backup, ledger, at)).ok).toBe(true);
  renameSync(`${ledger}.pending`, `${ledger}.incoming`);
  expect(finishRestore(ledger)).toEqual({ ok: true, value: null });
  expect(eventsIn(ledger)).toBe(events.ledger);
  expect((await orderRestore(backup, ledger, at)).ok).toBe(true);
});

test("one at a time: a second order is refused, and how to call the first one off is said", async () => {
  expect((await orderRestore(backup, ledger, at)).ok).toBe(true);
  expect(await orderRestore(backup, ledger, "later")).toMatchObject({
    ok: false,
    error: { code: "restore-pending", message: expect.stringContaining(`${ledger}.pending`) as unknown },
  });
});

test("what is kept aside is never overwritten", async () => {
  expect((await orderRestore(backup, ledger, at)).ok).toBe(true);
  copyFileSync(backup, aside());
  expect(finishRestore(ledger)).toMatchObject({
    ok: false,
    error: { code: "restore-failed", message: expect.stringContaining("is there already") as unknown },
  });
  expect(eventsIn(ledger)).toBe(events.ledger);
});

const bytes = () => readFileSync(backup);

/** Makes of the backup what the test says, in its place. */
const flawed: readonly [string, RegExp, () => void][] = [
  [
    "of a newer release",
    /has version 99/,
    () => inDatabase(backup, "INSERT INTO migrations VALUES (99, 'later', 'x', 'now')"),
  ],
  [
    "cut off",
    /malformed|no sound backup/,
    () => writeFileSync(backup, bytes().subarray(0, bytes().length / 2)),
  ],
  ["damaged", /no sound backup/, () => writeFileSync(backup, bytes().fill(0x55, 8_192, 40_000))],
  ["empty", /holds no event/, () => writeFileSync(backup, "")],
  [
    "a text",
    /not a database/,
    () => writeFileSync(backup, "a shopping list, longer than a header ".repeat(40)),
  ],
  ["not there", /directory|open/, () => rmSync(backup)],
  [
    "somebody else's database",
    /not a ledger of Siding/,
    () => {
      rmSync(backup);
      inDatabase(backup, "CREATE TABLE recipes (name TEXT)");
    },
  ],
];

function inDatabase(file: string, sql: string): void {
  const database = new Database(file);
  database.exec(sql);
  database.close();
}

test.each(flawed)("a backup that is %s is refused before anything is touched", async (_, words, spoil) => {
  spoil();
  const refused = await orderRestore(backup, ledger, at);
  expect(refused).toMatchObject({ ok: false, error: { message: expect.stringMatching(words) as unknown } });
  expect(refused).toMatchObject({
    error: { message: expect.stringContaining("nothing has changed") as unknown },
  });
  expect([isRestorePending(ledger), eventsIn(ledger)]).toEqual([false, events.ledger]);
});
