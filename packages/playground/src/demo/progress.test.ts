import { RolloutDocument } from "@siding/shared/rest";
import { expect, test } from "vitest";
import { batchLines, stateLine } from "./progress.ts";
import { humanSummary, jsonSummary } from "./summary.ts";

const TARGET = { digest: `sha256:${"0".repeat(64)}`, specRevision: 1 };
const AT = "2026-11-20T09:00:00.000Z";

function document(phases: readonly string[], over: object = {}): RolloutDocument {
  const hosts = phases.map((phase, index) => ({
    ...{ hostId: `h${index + 1}`, slot: "blue", batch: index, phase, since: AT, from: null, timings: {} },
  }));
  return RolloutDocument.parse({
    id: "r1",
    service: "web",
    purpose: "rollout",
    from: [{ ...TARGET, id: "v1@000000000000.1", version: "v1" }],
    to: { ...TARGET, id: "v2@000000000000.1", version: "v2" },
    strategy: { kind: "rolling" },
    status: "running",
    plan: { batches: [["h1"], ["h2"]], absent: [], minServing: 1, base: 2 },
    hosts,
    batches: [],
    waiting: [],
    explanation: "",
    story: { doing: "", waits: "", failures: "", next: "" },
    failures: 0,
    maxFailures: 0,
    reloads: { e1: 3, e2: 2 },
    swapSpreadMs: null,
    createdAt: AT,
    createdBy: "admin",
    ...over,
  });
}

test("says which hosts are where, and what is waited for", () => {
  const waiting = [{ code: "draining", message: "h1 has 2 requests in flight" }];
  expect(stateLine(document(["draining", "staged"], { waiting }))).toBe(
    "running: h1 draining, h2 staged  (h1 has 2 requests in flight)",
  );
});

test("counts hosts where naming them would fill the screen", () => {
  const phases = ["updating", "serving", "serving", "serving", "serving", "serving"];
  expect(stateLine(document(phases))).toBe("running: h1 updating, 5 serving");
});

test("says what of a batch was Siding's own time", () => {
  const batches = [
    { index: 0, hosts: ["h1"], wallMs: 412.4, ownMs: 21.2, parts: { turnoverMs: 120, drainMs: 61 } },
    { index: 1, hosts: ["h2"], wallMs: null, ownMs: null, parts: {} },
  ];
  expect(batchLines(document([], { batches }))).toEqual([
    "batch 1 (h1): 412 ms, own 21 ms; turnover 120 ms, drain 61 ms",
    "batch 2 (h2): unknown, own unknown; ",
  ]);
});

test("ends with the counts", () => {
  const rollout = document(["serving", "serving"], {
    status: "succeeded",
    finishedAt: "2026-11-20T09:00:01.850Z",
  });
  const counts = { requests: 1000, failed: 0, idleCloses: 0, kinds: [], versions: [], failures: [] };
  expect(jsonSummary({ counts, rollout, from: "v1" })).toBe(
    '{"requests":1000,"failed":0,"reloads":3,"batches":2,"rolloutMs":1850,"from":"v1","to":"v2"}',
  );
  expect(humanSummary({ counts, rollout, from: "v1" })).toBe(
    "v1 -> v2 succeeded on 2 hosts in 1.9 s\n1000 requests, 0 failed\n2 batches, 3 reloads of nginx",
  );
});
