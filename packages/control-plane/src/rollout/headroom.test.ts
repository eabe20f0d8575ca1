import { describe, expect, it } from "vitest";
import { admit, play } from "../scene/play.ts";
import { scene } from "../scene/scene.ts";

describe("load headroom", () => {
  const busy = (cpu: number) => ({ cpu, memory: 0.1 });

  it("shrinks the batch, else waits, and says so with the arithmetic", () => {
    const stage = scene({ spec: { capacity: { minServing: "25%", loadCeiling: "75%" } } });
    stage.pass(10_000, busy(0.55));
    play(stage, () => admit(stage, { version: "v2", strategy: { kind: "rolling", batchSize: 2 } }));
    expect(stage.rollout().batches.map((batch) => batch.hosts.length)).toEqual([1, 1, 1, 1]);
    stage.pass(10_000, busy(0.7));
    play(stage, () => admit(stage, { version: "v1", strategy: { kind: "rolling" } }));
    expect(stage.rollout()).toMatchObject({ status: "waiting", batches: [] });
    expect(stage.rollout().waiting[0]?.message).toBe(
      "3 hosts would carry the load of 4: 70 % now, 95 % then, the ceiling is 75 %",
    );
    stage.pass(10_000, busy(0.2));
    stage.settle();
    expect(stage.rollout().status).toBe("succeeded");
  });

  it("counts a host without a sample as at the ceiling", () => {
    const stage = scene({ spec: { capacity: { minServing: "25%", loadCeiling: "75%" } } });
    stage.pass(10_000, { cpu: null, memory: null });
    play(stage, () => admit(stage, { version: "v2" }));
    expect(stage.rollout().waiting).toMatchObject([{ code: "load-headroom" }]);
  });

  it("holds no way back", () => {
    const stage = scene({ spec: { capacity: { minServing: "25%", loadCeiling: "75%" } } });
    stage.pass(10_000, busy(0.2));
    play(stage, () => admit(stage, { version: "v2", bakeTime: "1h" }));
    stage.pass(10_000, busy(0.9));
    play(stage, () => stage.control("rollback"));
    expect(stage.rollout().status).toBe("rolled-back");
  });
});
