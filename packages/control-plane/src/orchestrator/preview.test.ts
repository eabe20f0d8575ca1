import { RolloutBody } from "@siding/shared/rest";
import { describe, expect, it } from "vitest";
import { type Scene, scene } from "../scene/scene.ts";
import { previewRollout } from "./preview.ts";

function preview(stage: Scene, body: unknown) {
  const seen = previewRollout(stage.state, stage.live, stage.service, RolloutBody.parse(body), stage.nowMs);
  if (!seen.ok) throw new Error(seen.error.message);
  return seen.value;
}

describe("a preview", () => {
  it("foretells plan, lowest capacity and reloads, and changes nothing", () => {
    const stage = scene();
    const before = stage.state.sequence;
    expect(preview(stage, { version: "v2", strategy: { kind: "rolling", batchSize: 2 } })).toMatchObject({
      plan: {
        batches: [
          ["h1", "h2"],
          ["h3", "h4"],
        ],
        base: 4,
        minServing: 2,
      },
      servingNow: 4,
      lowestServing: 2,
      reloadsPerEdge: 3,
      refusals: [],
    });
    expect(stage.state.sequence).toBe(before);
  });

  it.each([
    [{ kind: "rolling" as const }, undefined],
    [{ kind: "rolling" as const, batchSize: 2 }, undefined],
    [{ kind: "in-place" as const }, undefined],
    [{ kind: "rolling" as const, batchSize: 2 }, "1s"],
  ])("says what then happens: %j, baking %s", (strategy, bakeTime) => {
    const stage = scene();
    const body = { version: "v2", strategy, ...(bakeTime ? { bakeTime } : {}) };
    const foretold = preview(stage, body);
    stage.admit(body);
    for (let round = 0; round < 5; round += 1) {
      stage.settle();
      stage.pass(2_000);
    }
    expect(stage.rollout().status).toBe("succeeded");
    expect(stage.rollout().batches.map((batch) => batch.hosts)).toEqual(foretold.plan.batches);
    expect(stage.rollout().reloads).toEqual({ e1: foretold.reloadsPerEdge });
  });

  it("names the hooks that would be run, and where", () => {
    const stage = scene();
    stage.declare({
      hooks: {
        beforeRejoin: { command: ["./smoke"], timeout: "30s" },
        beforeUpdate: { command: ["./pack"] },
        beforeRollout: { command: ["./migrate"], timeout: "5m" },
      },
    });
    expect(preview(stage, { version: "v2" }).hooks).toEqual([
      { hook: "beforeRollout", on: "h1, once", timeoutMs: 300_000 },
      { hook: "beforeUpdate", on: "each host", timeoutMs: 60_000 },
      { hook: "beforeRejoin", on: "each host", timeoutMs: 30_000 },
    ]);
  });

  it("names what runs before a drain where the release that leaves has it", () => {
    const stage = scene();
    stage.declare({ hooks: { beforeDrain: { command: ["./mute"] } } });
    expect(preview(stage, { version: "v2" }).hooks).toEqual([]);
    stage.admit({ version: "v2", bakeTime: "1h" });
    stage.settle();
    stage.control("abort");
    stage.settle();
    stage.declare({});
    expect(preview(stage, { version: "v2" }).hooks).toEqual([
      { hook: "beforeDrain", on: "h1", timeoutMs: 60_000 },
    ]);
  });

  it("names every refusal", () => {
    const stage = scene({ spec: { capacity: { minServing: "100%" } } });
    stage.admit({ version: "v2" });
    expect(preview(stage, { version: "v2" }).refusals).toMatchObject([{ code: "below-minimum" }]);
    const running = scene();
    running.admit({ version: "v2" });
    expect(preview(running, { version: "v2" }).refusals).toMatchObject([{ code: "rollout-in-progress" }]);
  });
});
