import { Beat } from "@siding/shared/report";
import { beforeEach, expect, test } from "vitest";
import { LedgerClock } from "../ledger/clock.ts";
import { BeatStore } from "./beats.ts";
import { livenessOf } from "./live.ts";

let nowMs: number;
let beats: BeatStore;
beforeEach(() => {
  nowMs = 0;
  const time = { monotonicMs: () => nowMs, wallMs: () => 1_000_000 + nowMs };
  beats = new BeatStore(new LedgerClock(time, 0));
});

const beat = (change: object = {}) =>
  Beat.parse({
    v: 1,
    hostId: "h1",
    incarnation: "i1",
    stateDigest: `sha256:${"0".repeat(64)}`,
    intervalMs: 100,
    load: { cpu: 0.5, memory: 0.5 },
    ...change,
  });

test("the first beat, a changed state and a return from silence are news; the rest says 'still here'", () => {
  beats.connected();
  expect(beats.accept(beat())).toBe(true);
  nowMs = 100;
  expect(beats.accept(beat({ load: { cpu: 1, memory: 1 } }))).toBe(false);
  expect(beats.accept(beat({ stateDigest: `sha256:${"1".repeat(64)}` }))).toBe(true);
  nowMs = 500;
  expect(livenessOf(beats.view(), beat().hostId, nowMs).kind).toBe("silent");
  expect(beats.accept(beat({ stateDigest: `sha256:${"1".repeat(64)}` }))).toBe(true);
  expect(beats.accept(beat({ incarnation: "i2" }))).toBe(true);
});

test("an agent that can do nothing falls silent, and what it says is kept until it lives again", () => {
  beats.connected();
  const troubled = beat({ trouble: "/data/journal.json: ENOSPC" });
  const { hostId } = troubled;
  expect(beats.accept(troubled)).toBe(false);
  beats.accept(beat());
  nowMs = 200;
  expect([beats.accept(troubled), beats.accept(troubled)]).toEqual([true, false]);
  nowMs = 301;
  expect(livenessOf(beats.view(), hostId, nowMs).kind).toBe("silent");
  expect(beats.view().beats.get(hostId)?.trouble).toBe("/data/journal.json: ENOSPC");
  expect(beats.accept(beat())).toBe(true);
  expect(livenessOf(beats.view(), hostId, nowMs).kind).toBe("alive");
  expect(beats.view().beats.get(hostId)?.trouble).toBeNull();
});

test("without a connection of our own nobody is silent", () => {
  beats.connected();
  beats.accept(beat());
  beats.disconnected();
  nowMs = 10_000;
  expect(livenessOf(beats.view(), beat().hostId, nowMs).kind).toBe("unknown");
  beats.connected();
  expect(livenessOf(beats.view(), beat().hostId, nowMs).kind).toBe("unknown");
  nowMs += 301;
  expect(livenessOf(beats.view(), beat().hostId, nowMs).kind).toBe("silent");
});
