import { RolloutDocument } from "@siding/shared/rest";
import { makeTarget, Release, TargetSpec } from "@siding/shared/target";
import { expect, test } from "vitest";
import { LedgerClock } from "../ledger/clock.ts";
import { emptyState } from "../ledger/state.ts";
import { RolloutRecord } from "../rollout/record.ts";
import { rolloutDocument } from "./document-rollout.ts";

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const spec = TargetSpec.parse({
  run: { command: ["node"], env: {}, stopGraceMs: 1 },
  ports: { blue: 8080, green: null },
  health: { http: "/", intervalMs: 1, timeoutMs: 1, rise: 1, graceMs: 1 },
  drain: { deadlineMs: 1, onDeadline: "proceed", others: "ignore" },
  hooks: {},
});
const target = (version: string, digit: string) =>
  makeTarget(Release.parse({ version, digest: digest(digit), sizeBytes: 1 }), 1, spec);
const [v1, v2] = [target("v1", "1"), target("v2", "2")];

const at = "2026-11-20T12:00:00.000Z";
const host = (hostId: string, batch: number | null, timings: Record<string, number>, course: object) => ({
  hostId,
  course,
  from: v1,
  phase: "serving",
  phaseSinceMs: 0,
  phaseSinceAt: at,
  batch,
  timings,
});
const trouble = { code: "exited", message: "it exited with 1" };
const rollout = RolloutRecord.parse({
  id: "r-1",
  service: "web",
  origin: "person",
  to: v2,
  strategy: {
    kind: "rolling",
    batchSize: { kind: "percent", percent: 50 },
    maxUnavailable: { kind: "count", count: 2 },
    spread: null,
    allowDowntime: false,
  },
  onFailure: "rollback",
  maxFailures: 0,
  verifyHoldMs: 0,
  bakeTimeMs: 0,
  plan: {
    id: 1,
    parent: null,
    kind: "forward",
    whole: false,
    batches: [["h1", "h2"], ["h3"]],
    hosts: ["h1", "h2", "h3"].map((hostId) => ({ hostId, slot: "blue", goal: v2, from: v1 })),
    absent: [],
    base: 3,
    minServing: 1,
    maxUnavailable: 2,
    allowsDowntime: false,
  },
  intent: "forward",
  cause: null,
  resumedAtMs: 0,
  acceptedFailures: 0,
  failed: ["h3"],
  promotedBatches: 0,
  hosts: [
    host("h1", 0, { drainMs: 20, stopMs: 10, startMs: 100, verifyMs: 40 }, { kind: "planned" }),
    host("h2", 0, { drainMs: 30, stopMs: 5, startMs: 90, verifyMs: 60 }, { kind: "planned" }),
    host("h3", 1, { drainMs: 7 }, { kind: "settled", on: null, failure: trouble, atMs: 1 }),
  ],
  batches: [
    {
      ...{ hosts: ["h1", "h2"], planned: 2, startedAtMs: 1_000, finishedAtMs: 1_400 },
      ...{ turnoverMs: { 5: 50, 9: 70 }, edgeVerifyMs: 45 },
    },
    { hosts: ["h3"], planned: 1, startedAtMs: 1_400, finishedAtMs: null, turnoverMs: {}, edgeVerifyMs: 0 },
  ],
  status: "running",
  waiting: [{ code: "updating", message: "h3 updates", hostId: "h3", untilMs: 62_000 }],
  comment: null,
  createdAt: at,
  createdAtMs: 0,
  createdBy: "admin",
  finishedAt: null,
  reloadsBefore: {},
  swapSpreadMs: null,
  reloads: { e1: 3 },
});

const clock = new LedgerClock({ monotonicMs: () => 2_000, wallMs: () => Date.parse(at) }, 2_000);
const view = {
  state: emptyState(),
  live: { connectedSinceMs: null, beats: new Map() },
  clock,
  nowMs: 2_000,
  declared: new Set<never>(),
};

test("own time is what is left of a batch when nginx, the service and its clients have had theirs", () => {
  const document = RolloutDocument.parse(rolloutDocument(view, rollout));
  expect(document.batches[0]).toEqual({
    index: 0,
    hosts: ["h1", "h2"],
    wallMs: 400,
    parts: { turnoverMs: 120, drainMs: 30, stopMs: 10, startMs: 100, verifyMs: 60 },
    ownMs: 80,
  });
  expect(document.batches[1]).toMatchObject({ wallMs: null, ownMs: null, parts: { drainMs: 7 } });
});

test("a rollout reads as people write and wait: strategy, instants, errors", () => {
  const document = RolloutDocument.parse(rolloutDocument(view, rollout));
  expect(document).toMatchObject({
    from: [{ id: v1.id, version: "v1" }],
    to: { id: v2.id, version: "v2", specRevision: 1 },
    strategy: { kind: "rolling", batchSize: "50%", maxUnavailable: 2 },
    waiting: [{ code: "updating", hostId: "h3", until: "2026-11-20T12:01:00.000Z" }],
    reloads: { e1: 3 },
    failures: 1,
  });
  expect(document.hosts.map(({ hostId, error }) => [hostId, error?.code])).toEqual([
    ["h1", undefined],
    ["h2", undefined],
    ["h3", "exited"],
  ]);
  expect(document).not.toHaveProperty("finishedAt");
});
