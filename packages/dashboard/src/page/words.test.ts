import { HostDocument, RolloutDocument } from "@siding/shared/rest";
import { expect, test } from "vitest";
import { ago, duration, goalsOf, reasons, standing, stateOf, title, verbsFor } from "./words.js";

const nowMs = Date.parse("2026-11-20T12:00:00Z");
const before = (ms: number) => new Date(nowMs - ms).toISOString();

test.each([
  [0, "0 ms"],
  [566, "566 ms"],
  [1_500, "1.5 s"],
  [4_000, "4 s"],
  [59_000, "59 s"],
  [60_000, "1 min"],
  [95_000, "1 min 35 s"],
  [7_500_000, "2 h 5 min"],
  [100_000_000, "1 d 3 h"],
])("%i ms are %s", (ms, text) => {
  expect(duration(ms)).toBe(text);
});

test("the age of a beat does not count by the second", () => {
  expect([9_999, 19_000, 25_000, 90_000, 7_200_000].map((ms) => ago(before(ms), nowMs))).toEqual([
    "just now",
    "just now",
    "20 s ago",
    "1 min ago",
    "2 h ago",
  ]);
  expect(ago(null, nowMs)).toBe("never");
});

const host = (change: object, ...states: readonly [state: string, listed: boolean][]) =>
  HostDocument.parse({
    id: "h1",
    address: null,
    trouble: null,
    conflict: null,
    labels: {},
    roles: ["host"],
    hold: null,
    liveness: "alive",
    since: null,
    lastSeen: null,
    load: null,
    agentVersion: null,
    inventory: null,
    instances: states.map(([state, listed], index) => ({
      ...{ service: `s${index}`, slot: "blue", target: null, version: null, health: "good", trouble: null },
      ...{ state, listed },
    })),
    ...change,
  });

test("a host's cell shows the worst of it; before its turn it serves", () => {
  expect(standing(host({}, ["staged", true], ["serving", true]))).toBe("serving");
  expect(standing(host({}, ["serving", true], ["draining", false]))).toBe("draining");
  expect(standing(host({}, ["draining", false], ["failed", false]))).toBe("failed");
  expect(standing(host({ liveness: "silent" }, ["serving", true]))).toBe("silent");
  expect(standing(host({ liveness: "unknown" }, ["serving", true]))).toBe("unknown");
  const conflict = { since: "2026-01-01T00:00:00Z", message: "two agents beat as h1" };
  expect(standing(host({ conflict }, ["serving", true]))).toBe("cloned");
  expect(standing(host({ roles: ["edge"] }))).toBe("edge");
  expect(standing(host({}))).toBe("idle");
  expect(host({}, ["staged", false]).instances.map(stateOf)).toEqual(["staged"]);
});

const target = (version: string) => ({
  id: `${version}@0123456789ab.1`,
  version,
  digest: `sha256:${"0".repeat(64)}`,
  specRevision: 1,
});
const rollout = (change: object) =>
  RolloutDocument.parse({
    ...{
      id: "r-1",
      service: "web",
      purpose: "rollout",
      from: [target("v1")],
      to: target("v2"),
      strategy: { kind: "rolling" },
    },
    ...{ status: "running", plan: { batches: [["h1"]], absent: [], minServing: 1, base: 2 }, batches: [] },
    hosts: ["h1", "h2"].map((hostId, index) => ({
      ...{ hostId, slot: "blue", batch: null, since: before(0), from: null, timings: {} },
      phase: index === 0 ? "serving" : "staged",
    })),
    ...{ waiting: [], explanation: "", story: { doing: "", waits: "", failures: "", next: "" } },
    ...{
      failures: 0,
      maxFailures: 0,
      reloads: {},
      swapSpreadMs: null,
      createdAt: before(0),
      createdBy: "admin",
    },
    ...change,
  });

test("only what makes sense at present can be pressed", () => {
  const bake = { code: "bake", message: "" };
  const pausing = { code: "pausing", message: "" };
  const cause = { code: "aborted-by-person", message: "" };
  expect(verbsFor(rollout({}))).toEqual(["pause", "rollback", "abort"]);
  expect(verbsFor(rollout({ status: "waiting", waiting: [bake] }))[0]).toBe("promote");
  expect(verbsFor(rollout({ waiting: [pausing] }))).toEqual(["resume", "rollback", "abort"]);
  expect(verbsFor(rollout({ cause }))).toEqual(["rollback"]);
  expect(verbsFor(rollout({ status: "paused" }))[0]).toBe("resume");
  expect(verbsFor(rollout({ status: "rolling-back" }))).toEqual([]);
  expect(verbsFor(rollout({ status: "succeeded" }))).toEqual(["rollback"]);
});

test("where hosts go, as long as they are on their way", () => {
  expect([...goalsOf([rollout({})])]).toEqual([["web/h2", "v2"]]);
  expect([...goalsOf([rollout({ finishedAt: before(0) })])]).toEqual([]);
  expect([...goalsOf([rollout({ status: "rolling-back" })])]).toEqual([]);
});

test("what it is called, and reasons once a kind", () => {
  expect(title(rollout({}))).toBe("web: v1 → v2");
  expect(title(rollout({ from: [] }))).toBe("web: first deployment of v2");
  expect(title(rollout({ from: [target("v2")] }))).toBe("web: v2, changed config");
  const alone = rollout({}).hosts.slice(0, 1);
  expect(title(rollout({ purpose: "take-out", hosts: alone }))).toBe("web: h1 leaves traffic");
  expect(title(rollout({ purpose: "bring-in", hosts: alone }))).toBe("web: h1 comes in on v2");
  const until = before(-12_300);
  const { waiting } = rollout({
    waiting: [
      { code: "draining", message: "h1 drains", until },
      { code: "draining", message: "h2 drains" },
    ],
  });
  expect(reasons(waiting, nowMs)).toEqual([
    { code: "draining", text: "h1 drains", more: 1, left: "at most 13 s more" },
  ]);
});
