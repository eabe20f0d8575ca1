import { describe, expect, it } from "vitest";
import { admit, broken, play, until } from "../scene/play.ts";
import { scene } from "../scene/scene.ts";

describe("a release that does not get healthy", () => {
  it("is rolled back on its own", async () => {
    const stage = scene();
    stage.behaviours.set("h2", { fails: { kind: "verify", failure: broken } });
    const log = play(stage, () => {
      admit(stage, { version: "v2" });
      until(stage, "h2 FAILED");
      stage.behaviours.clear();
    });
    await expect(log).toMatchFileSnapshot("golden/failure-rollback.txt");
    expect(stage.rollout().status).toBe("rolled-back");
    expect(stage.rollout().cause?.message).toContain("GET /healthz answered 500");
  });

  it("pauses with the failed host back on what it came from, and goes on when told", async () => {
    const stage = scene();
    stage.behaviours.set("h2", { fails: { kind: "update", failure: broken } });
    const log = play(stage, () => admit(stage, { version: "v2", onFailure: "pause" }));
    await expect(log).toMatchFileSnapshot("golden/failure-pause.txt");
    expect(stage.rollout().status).toBe("paused");
    expect(stage.snapshot.upstream.content.members).toHaveLength(4);
    play(stage, () => stage.control("resume"));
    expect(stage.rollout().status).toBe("succeeded");
    expect(stage.rollout().hosts.map(({ hostId, phase }) => `${hostId} ${phase}`)).toEqual([
      "h1 serving",
      "h2 failed",
      "h3 serving",
      "h4 serving",
    ]);
  });

  it("stops with the batch in hand given back", () => {
    const stage = scene();
    stage.behaviours.set("h2", { fails: { kind: "update", failure: broken } });
    play(stage, () => admit(stage, { version: "v2", onFailure: "stop" }));
    expect(stage.rollout().status).toBe("failed");
    const listed = stage.snapshot.upstream.content.members.map((member) => member.targetId.split("@")[0]);
    expect(listed).toEqual(["v2", "v1", "v1", "v1"]);
  });

  it("is tolerated as often as maxFailures says, over the whole rollout", () => {
    const stage = scene();
    stage.behaviours.set("h1", { fails: { kind: "update", failure: broken } });
    stage.behaviours.set("h3", { fails: { kind: "update", failure: broken } });
    play(stage, () => admit(stage, { version: "v2", maxFailures: 1, onFailure: "pause" }));
    expect(stage.rollout().failed).toEqual(["h1", "h3"]);
    expect(stage.rollout().status).toBe("paused");
  });

  it("names the edge that can't reach a host its agent calls healthy", () => {
    const stage = scene();
    stage.behaviours.set("h1", { fails: { kind: "probe", failure: broken } });
    play(stage, () => admit(stage, { version: "v2" }));
    expect(stage.rollout().waiting[0]?.message).toContain("e1 to see it");
    stage.pass(31_000);
    until(stage, "h1 FAILED");
    stage.behaviours.clear();
    stage.settle();
    expect(stage.rollout().status).toBe("rolled-back");
    expect(stage.rollout().cause?.message).toContain("not from edge e1");
  });
});

describe("silence", () => {
  it("of a host in hand pauses at its deadline and spends no budget", () => {
    const stage = scene();
    stage.behaviours.set("h1", { silent: true });
    stage.admit({ version: "v2" });
    stage.settle();
    expect(stage.rollout().waiting).toMatchObject([{ code: "staging", hostId: "h1" }]);
    stage.pass(700_000);
    stage.settle();
    expect(stage.rollout()).toMatchObject({ status: "paused", failed: [], cause: { code: "host-silent" } });
    stage.behaviours.clear();
    stage.pass(10_000);
    play(stage, () => stage.control("resume"));
    expect(stage.rollout().status).toBe("succeeded");
  });

  it("of a host before the start leaves it aside, delisted first", async () => {
    const stage = scene();
    stage.behaviours.set("h2", { silent: true });
    stage.pass(60_000);
    const log = play(stage, () => admit(stage, { version: "v2" }));
    await expect(log).toMatchFileSnapshot("golden/absent-host.txt");
    expect(stage.rollout().status).toBe("succeeded");
  });

  it("of an edge pauses at its deadline and never rolls back", () => {
    const stage = scene({ edges: 2 });
    stage.admit({ version: "v2" });
    until(stage, "batch h1");
    stage.behaviours.set("e2", { silent: true });
    stage.settle();
    expect(stage.rollout().waiting).toMatchObject([{ code: "edge-confirm", hostId: "h1" }]);
    stage.pass(125_000);
    stage.settle();
    expect(stage.rollout().cause).toMatchObject({ code: "edge-silent" });
    stage.behaviours.clear();
    stage.pass(10_000);
    stage.settle();
    expect(stage.rollout().status).toBe("paused");
    expect(stage.snapshot.upstream.content.members).toHaveLength(4);
  });

  it("ends when a person excludes the edge, which counts again once it serves what is wanted", () => {
    const stage = scene({ edges: 2 });
    stage.behaviours.set("e2", { silent: true });
    stage.pass(60_000);
    stage.admit({ version: "v2" });
    stage.settle();
    expect(stage.rollout().waiting).toMatchObject([{ code: "edge-silent", hostId: "e2" }]);
    stage.exclude("e2");
    stage.settle();
    expect(stage.rollout().status).toBe("succeeded");
    stage.include("e2");
    expect(stage.snapshot.edges.map((edge) => edge.counted)).toEqual([true, false]);
    stage.behaviours.clear();
    stage.pass(10_000);
    stage.settle();
    expect(stage.snapshot.edges.map((edge) => edge.counted)).toEqual([true, true]);
  });
});
