import { err } from "@siding/shared/result";
import { describe, expect, it } from "vitest";
import { targetOf, World } from "./world.fixture.ts";

const v1 = targetOf("v1");

function serving(): World {
  const world = new World();
  world.run(10);
  world.deploy(v1, 1);
  return world;
}

describe("a restart", () => {
  it("stops what runs and starts it again, on the target it serves", () => {
    const world = serving();
    world.tell(10, { kind: "restart", target: v1, shot: "r-1" });
    world.run(100);
    expect(world.said()).toMatchObject({ running: v1.id, command: { kind: "restart", status: "done" } });
    expect([world.count("stop-process"), world.count("start-process")]).toEqual([1, 2]);
    expect([...world.processes.keys()]).toEqual(["p2"]);
  });

  it("is carried out once, whatever command asks for it again", () => {
    const world = serving();
    world.tell(10, { kind: "restart", target: v1, shot: "r-1" });
    world.run(100);
    world.tell(11, { kind: "restart", target: v1, shot: "r-1" });
    world.run(100);
    expect(world.said()).toMatchObject({ command: { commandId: "c11", status: "done" } });
    expect(world.count("start-process")).toBe(2);
    world.tell(12, { kind: "restart", target: v1, shot: "r-2" });
    world.run(100);
    expect(world.count("start-process")).toBe(3);
  });

  it.each(["stopping", "starting", "done"])("survives an agent that is killed: %s", (moment) => {
    const world = serving();
    if (moment === "stopping") world.answers["stop-process"] = () => null;
    if (moment === "starting") world.answers["start-process"] = () => null;
    world.tell(10, { kind: "restart", target: v1, shot: "r-1" });
    world.run(100);
    world.answers = {};
    world.restart();
    world.run(1_000);
    expect(world.said()).toMatchObject({ running: v1.id, command: { kind: "restart", status: "done" } });
    expect(world.processes.size).toBe(1);
    expect([...world.processes.keys()]).not.toEqual(["p1"]);
    const starts = world.count("start-process");
    world.tell(11, { kind: "restart", target: v1, shot: "r-1" });
    world.run(1_000);
    expect(world.count("start-process")).toBe(starts);
  });

  it("whose start fails says so, and is not taken for done", () => {
    const world = serving();
    const failure = { code: "start-failed", message: "no such program" };
    world.answers["start-process"] = ({ op, service, slot }) => ({
      ...{ kind: "process-started", op, service, slot },
      result: err(failure),
    });
    world.tell(10, { kind: "restart", target: v1, shot: "r-1" });
    world.run(100);
    expect(world.said()).toMatchObject({ running: null, command: { status: "failed", failure } });
    world.answers = {};
    world.tell(11, { kind: "restart", target: v1, shot: "r-1" });
    world.run(100);
    expect(world.said()).toMatchObject({ running: v1.id, command: { status: "done" } });
  });
});
