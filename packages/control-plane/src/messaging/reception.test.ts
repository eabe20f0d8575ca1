import type { HostId } from "@siding/shared/ids";
import { encodeMessage } from "@siding/shared/message";
import type { Report } from "@siding/shared/report";
import { pino } from "pino";
import { beforeEach, expect, test } from "vitest";
import { Reception } from "./reception.ts";

let taken: Report[];
let wakes: number;
let isWritable: boolean;
let logged: string[];
let reception: Reception;

beforeEach(() => {
  taken = [];
  wakes = 0;
  isWritable = true;
  logged = [];
  reception = new Reception({
    hosts: new Set(["h1", "h2"] as HostId[]),
    acceptBeat: (beat) => beat.incarnation !== "i0",
    acceptReport: (report, unheard) => {
      taken.push(report);
      if (!isWritable) unheard();
    },
    wake: () => {
      wakes += 1;
    },
    log: pino({ level: "warn" }, { write: (line: string) => logged.push(line) }),
  });
});

const beat = (change: object = {}) =>
  encodeMessage({
    v: 1,
    hostId: "h1",
    incarnation: "i1",
    stateDigest: `sha256:${"0".repeat(64)}`,
    intervalMs: 100,
    load: { cpu: 0.1, memory: null },
    ...change,
  });
const report = (incarnation: string, sequence: number, hostId = "h1") =>
  encodeMessage({
    v: 1,
    kind: "refused",
    hostId,
    incarnation,
    sequence,
    commandId: "c1",
    code: "stale-epoch",
    message: "",
  });
const say = (bytes: Uint8Array, hostId = "h1") => reception.report(`siding.v1.from.${hostId}.report`, bytes);

test("of one incarnation, only what is newer than the newest is taken", () => {
  for (const sequence of [1, 3, 2, 3, 4]) say(report("i1", sequence));
  expect(taken.map((each) => each.sequence)).toEqual([1, 3, 4]);
  say(report("i2", 1));
  say(report("i1", 4));
  say(report("i1", 5));
  expect(taken.map((each) => `${each.incarnation}/${each.sequence}`).slice(3)).toEqual(["i2/1", "i1/5"]);
});

test("a report that could not be made durable counts as not heard", () => {
  isWritable = false;
  say(report("i1", 7));
  isWritable = true;
  say(report("i1", 7));
  say(report("i1", 7));
  expect(taken).toHaveLength(2);
});

test("a beat wakes the loop only where it says something new", () => {
  reception.beat("siding.v1.from.h1.beat", beat({ incarnation: "i0" }));
  expect(wakes).toBe(0);
  reception.beat("siding.v1.from.h1.beat", beat());
  expect(wakes).toBe(1);
});

test("what can't be believed or read is dropped, counted by code, and logged ever more rarely", () => {
  for (let count = 0; count < 5; count += 1) reception.beat("siding.v1.from.h2.beat", beat());
  say(report("i1", 1, "h9"), "h9");
  say(new TextEncoder().encode("{"));
  say(encodeMessage({ v: 2 }));
  say(encodeMessage({ v: 1, hostId: "h1" }));
  say(new Uint8Array(1_000_001));
  expect(Object.fromEntries(reception.refused)).toEqual({
    "message-impostor": 5,
    "message-undeclared": 1,
    "message-not-json": 1,
    "message-version": 1,
    "message-invalid": 1,
    "message-too-large": 1,
  });
  expect(logged.filter((line) => line.includes("h2 speaks as h1"))).toHaveLength(3);
  expect([taken, wakes]).toEqual([[], 0]);
});
