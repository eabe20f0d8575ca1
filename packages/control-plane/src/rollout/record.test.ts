import { expect, test } from "vitest";
import { RolloutRecord } from "./record.ts";

test("the hosts of a ledger that has them by their ids become a list", () => {
  const progress = {
    from: null,
    course: { kind: "planned" },
    phase: "pending",
    phaseSinceMs: 0,
    phaseSinceAt: "2026-01-01T00:00:00.000Z",
    batch: null,
    timings: {},
  };
  const list = [
    { hostId: "h2", ...progress },
    { hostId: "h1", ...progress },
  ];
  const { hosts } = RolloutRecord.shape;
  expect(hosts.parse({ h2: progress, h1: progress })).toEqual(list);
  expect(hosts.parse(list)).toEqual(list);
});
