import { describe, expect, it } from "vitest";
import type { EffectKind } from "./effect.ts";
import { contentOf, revisionOf, targetOf, World } from "./world.fixture.ts";

const v1 = targetOf("v1");
const v2 = targetOf("v2");

function serving(): World {
  const world = new World();
  world.run(10);
  world.deploy(v1, 1);
  world.tell(10, { kind: "stage", target: v2 });
  world.run(10);
  world.asked.length = 0;
  return world;
}

describe("an agent that was killed", () => {
  it("finds its process again and leaves it alone", () => {
    const world = serving();
    world.restart();
    world.run(5_000);
    expect(world.said()).toMatchObject({ running: v1.id, health: "good", staged: [v1.id, v2.id] });
    expect([world.count("stop-process"), world.count("start-process")]).toEqual([0, 0]);
  });

  it("starts what has ended meanwhile, and what a boot has ended", () => {
    const world = serving();
    world.processes.clear();
    world.restart();
    world.run(5_000);
    expect(world.said().running).toBe(v1.id);
    world.restart("boot-2");
    world.run(5_000);
    expect(world.said().running).toBe(v1.id);
    expect(world.count("start-process")).toBe(2);
  });

  it("says its sequence anew under a new incarnation, everything first", () => {
    const world = serving();
    world.restart();
    world.run(10);
    const ofIt = world.reports.filter((each) => each.incarnation === "inc2");
    expect(ofIt[0]).toMatchObject({ kind: "state", full: true, sequence: 1 });
    expect(ofIt.map((each) => each.sequence)).toEqual(ofIt.map((_, index) => index + 1));
  });

  it.each<[EffectKind]>([["stop-process"], ["start-process"]])(
    "while %s was going on carries the update on",
    (kind) => {
      const world = serving();
      world.answers[kind] = () => null;
      world.tell(11, { kind: "update", target: v2 });
      world.run(50);
      delete world.answers[kind];
      world.restart();
      world.run(100);
      expect(world.said()).toMatchObject({ running: v2.id, command: { kind: "update", status: "done" } });
      expect(world.processes.size).toBe(1);
    },
  );

  it("between the start of a process and knowing of it does not start another", () => {
    const world = serving();
    world.tell(11, { kind: "update", target: v2 });
    while (
      world.processes.size !== 1 ||
      ![...world.processes.values()].some((each) => each.targetId === v2.id)
    ) {
      world.run(1);
    }
    world.restart();
    world.run(100);
    expect(world.count("start-process")).toBe(1);
    expect(world.said()).toMatchObject({ running: v2.id, command: { status: "done" } });
  });

  it("stages on", () => {
    const world = serving();
    world.answers["stage-release"] = () => null;
    world.tell(11, { kind: "stage", target: targetOf("v3") });
    world.run(50);
    delete world.answers["stage-release"];
    world.restart();
    world.run(50);
    expect(world.said().command).toMatchObject({ kind: "stage", status: "done" });
  });

  it("drains on, and its deadline has run on", () => {
    const world = serving();
    world.answers["count-connections"] = () => null;
    world.tell(11, { kind: "drain", target: v1, edges: [] });
    world.run(20_000);
    world.restart();
    world.run(9_000);
    expect(world.said().command?.status).toBe("running");
    world.run(1_100);
    expect(world.said().command?.status).toBe("done");
  });

  it("gets a command's time anew after a boot, once", () => {
    const world = serving();
    world.answers["stage-release"] = () => null;
    world.tell(11, { kind: "stage", target: targetOf("v3") }, { deadlineMs: 10_000 });
    world.run(9_000);
    world.restart("boot-2");
    world.run(9_000);
    expect(world.said().command?.status).toBe("running");
    world.restart("boot-3");
    world.run(10);
    expect(world.said().command).toMatchObject({ status: "failed", failure: { code: "deadline" } });
  });

  it("verifies on, counting from the beginning", () => {
    const world = serving();
    world.answers.probe = () => null;
    world.tell(11, { kind: "verify", target: v1, holdMs: 0, attempt: 1 });
    world.run(29_000);
    delete world.answers.probe;
    world.restart();
    world.run(2_000);
    expect(world.said().command).toMatchObject({ kind: "verify", status: "done" });
  });

  it("and has lost its journal takes a process over that a command names", () => {
    const world = serving();
    world.journal = { ...world.journal, instances: [], upstreams: [] };
    world.restart();
    world.run(100);
    expect(world.said()).toMatchObject({ revision: 0, running: v1.id, health: "unknown" });
    world.tell(50, { kind: "verify", target: v1, holdMs: 0, attempt: 1 });
    world.run(2_000);
    expect(world.said()).toMatchObject({ health: "good", command: { status: "done" } });
    world.tell(51, { kind: "rejoin", target: v1 });
    world.crash(1);
    world.run(1_000);
    expect(world.said().running).toBe(v1.id);
  });

  it("no longer calls staged what is gone from the disk", () => {
    const world = serving();
    world.releases.length = 0;
    world.restart();
    world.run(10);
    expect(world.said().staged).toEqual([]);
  });

  it("applies what it had accepted and not yet served, and nothing else", () => {
    const world = serving();
    const content = contentOf(["h1"]);
    world.answers["apply-upstream"] = () => null;
    world.send(revisionOf(world, 20, content));
    world.run(100);
    delete world.answers["apply-upstream"];
    world.restart();
    world.run(100);
    expect(world.saidOfUpstream()).toMatchObject({ revision: 20, serving: { revision: 20 } });
    world.asked.length = 0;
    const { upstream, digest } = world.state.upstreams.get(content.upstream)?.journal ?? {};
    if (upstream === undefined || digest === undefined) throw new Error("the journal lost the upstream");
    const served = {
      upstream,
      digest,
      revision: 20,
      generation: 4,
      reloads: 9,
      ejections: 0,
      ejected: [],
      turnoverMs: 1,
    };
    world.answers["start-edge"] = ({ op }) => ({
      kind: "edge-started",
      op,
      result: { ok: true, value: { kind: "serving", confirmed: [served] } },
    });
    world.restart();
    world.run(100);
    expect(world.count("apply-upstream")).toBe(0);
    expect(world.saidOfUpstream()).toMatchObject({ serving: { revision: 20 }, generation: 4, reloads: 9 });
  });
});
