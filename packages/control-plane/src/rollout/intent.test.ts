import { describe, expect, it } from "vitest";
import { admit, broken, play, until } from "../scene/play.ts";
import { scene } from "../scene/scene.ts";

describe("a person's word", () => {
  it("abort gives the batch in hand back", async () => {
    const stage = scene();
    const log = play(stage, () => {
      admit(stage, { version: "v2", strategy: { kind: "rolling", batchSize: 2 } });
      until(stage, "h1 update v2");
      stage.control("abort");
    });
    await expect(log).toMatchFileSnapshot("golden/abort-while-updating.txt");
    expect(stage.rollout().status).toBe("aborted");
  });

  it("abort while hosts are only delisted lists them again without asking for their health", async () => {
    const stage = scene();
    const log = play(stage, () => {
      admit(stage, { version: "v2" });
      until(stage, "batch h1");
      stage.control("abort");
    });
    await expect(log).toMatchFileSnapshot("golden/abort-while-leaving.txt");
  });

  it("abort while hosts are only delisted verifies them anew from an edge that counts only since then", () => {
    const stage = scene();
    admit(stage, { version: "v2" });
    const isListed = () => stage.listed.includes("h1=v1");
    while (isListed()) if (stage.decide().length === 0) stage.answer();
    stage.behaviours.set("e1", { silent: true });
    stage.join("e2", "edge");
    stage.answer();
    expect(stage.snapshot.edges.map(({ counted }) => counted)).toEqual([true, true]);
    stage.control("abort");
    stage.settle();
    expect(isListed()).toBe(false);
    expect(stage.snapshot.upstream.content.watch).toMatchObject([{ hostId: "h1" }]);
    stage.behaviours.clear();
    stage.settle();
    expect(stage.rollout().status).toBe("aborted");
    expect(stage.listed).toEqual(["h1=v1", "h2=v1", "h3=v1", "h4=v1"]);
    const told = stage.log.flatMap(({ body }) => (body.type === "command-issued" ? [body] : []));
    expect(told.filter(({ hostId }) => hostId === "h1").map(({ body }) => body.kind)).not.toContain("drain");
  });

  it("abort while staging is a cancel", () => {
    const stage = scene();
    admit(stage, { version: "v2" });
    stage.decide();
    play(stage, () => stage.control("abort"));
    expect(stage.rollout().status).toBe("aborted");
    expect(stage.rollout().batches).toEqual([]);
  });

  it("abort of in-place before the swap takes its half back", async () => {
    const stage = scene();
    const log = play(stage, () => {
      admit(stage, { version: "v2", strategy: { kind: "in-place" } });
      until(stage, "h2 verify v2");
      stage.control("abort");
    });
    await expect(log).toMatchFileSnapshot("golden/abort-in-place.txt");
    const targets = stage.snapshot.upstream.content.members.map((member) => member.targetId.split("@")[0]);
    expect(new Set(targets)).toEqual(new Set(["v1"]));
  });

  it("rollback in the middle touches only what was changed", async () => {
    const stage = scene();
    const log = play(stage, () => {
      admit(stage, { version: "v2" });
      until(stage, "h3 update v2");
      stage.control("rollback");
    });
    await expect(log).toMatchFileSnapshot("golden/rollback-in-the-middle.txt");
    expect(stage.rollout().status).toBe("rolled-back");
  });

  it("rollback leaves a host where it is that was out of traffic and came from the same target", () => {
    const stage = scene();
    admit(stage, { version: "v2" });
    stage.settle();
    stage.hold("h1");
    stage.converge();
    admit(stage, { version: "v1" });
    stage.converge();
    stage.letGo("h1");
    stage.behaviours.set("h4", { fails: { kind: "verify", failure: broken } });
    admit(stage, { version: "v2", onFailure: "rollback" });
    until(stage, "rollback");
    stage.behaviours.clear();
    stage.settle();
    expect(stage.rollout()).toMatchObject({ status: "rolled-back", cause: { code: "too-many-failures" } });
    expect(stage.listed).toEqual(["h1=v2", "h2=v1", "h3=v1", "h4=v1"]);
  });

  it("rollback after a batch was given back goes back with everybody that had moved before", () => {
    const stage = scene();
    stage.behaviours.set("h3", { fails: { kind: "update", failure: broken } });
    play(stage, () => admit(stage, { version: "v2", strategy: { kind: "in-place" }, onFailure: "pause" }));
    expect(stage.listed).toEqual(["h1=v2", "h2=v2", "h3=v1", "h4=v1"]);
    stage.behaviours.clear();
    play(stage, () => stage.control("rollback"));
    expect(stage.rollout().status).toBe("rolled-back");
    expect(stage.listed).toEqual(["h1=v1", "h2=v1", "h3=v1", "h4=v1"]);
  });

  it("pause finishes the batch in hand and rests with everybody in traffic", () => {
    const stage = scene();
    play(stage, () => {
      admit(stage, { version: "v2" });
      until(stage, "h2 drain v1");
      stage.control("pause");
    });
    expect(stage.rollout().status).toBe("paused");
    expect(stage.snapshot.upstream.content.members).toHaveLength(4);
    expect(stage.rollout().batches).toHaveLength(2);
    play(stage, () => stage.control("resume"));
    expect(stage.rollout().status).toBe("succeeded");
  });

  it("promote cuts the bake short, and finds no gate elsewhere", () => {
    const stage = scene();
    play(stage, () => admit(stage, { version: "v2", bakeTime: "1h" }));
    expect(stage.rollout().status).toBe("waiting");
    expect(stage.control("promote").ok).toBe(true);
    play(stage, () => undefined);
    expect(stage.rollout().batches).toHaveLength(2);
    stage.pass(3_600_000);
    stage.settle();
    expect(stage.rollout().batches).toHaveLength(3);
    play(stage, () => stage.control("abort"));
    expect(stage.control("promote")).toMatchObject({ ok: false, error: { code: "rollout-finished" } });
  });
});
