import type { HookSpec, HooksSpec } from "@siding/shared/hooks";
import { err } from "@siding/shared/result";
import { describe, expect, it } from "vitest";
import type { Effect } from "./effect.ts";
import type { Event } from "./event.ts";
import { targetOf, World } from "./world.fixture.ts";

type RunHook = Extract<Effect, { kind: "run-hook" }>;

const hook: HookSpec = { command: ["./hook"], timeoutMs: 60_000, env: {}, idempotent: false };
const failure = { code: "hook-failed", message: "hook (./hook) ended with exit code 3", output: "no space" };

const targetWith = (version: string, hooks: HooksSpec) => targetOf(version, { hooks });

/** A world where v1 serves, with these hooks of its own, and v2 is staged. */
function serving(old: HooksSpec = {}, next: HooksSpec = {}) {
  const world = new World();
  const [v1, v2] = [targetWith("v1", old), targetWith("v2", next)];
  world.run(10);
  world.deploy(v1, 1);
  world.tell(10, { kind: "stage", target: v2 });
  world.run(10);
  world.asked.length = 0;
  return { world, v1, v2 };
}

const hooksOf = (world: World) => world.asked.filter((each): each is RunHook => each.kind === "run-hook");

const answering =
  (result: Extract<Event, { kind: "hook-ended" }>["result"]) =>
  ({ op, service, slot, hook: name }: RunHook): Event => ({
    kind: "hook-ended",
    op,
    service,
    slot,
    hook: name,
    result,
  });

const never = () => null;

describe("a hook", () => {
  it("of the release that runs comes before the drain is counted, and the drain's time begins after it", () => {
    const { world, v1 } = serving({ beforeDrain: hook });
    world.answers["run-hook"] = never;
    world.tell(11, { kind: "drain", target: v1, edges: [] });
    world.run(40_000);
    expect(world.count("count-connections")).toBe(0);
    expect(world.said().command).toMatchObject({ status: "running", hook: "beforeDrain" });
    const [asked] = hooksOf(world);
    if (!asked) throw new Error("no hook was asked for");
    world.happen(answering({ ok: true, value: null })(asked));
    world.run(100);
    expect(world.said().command).toMatchObject({ kind: "drain", status: "done" });
    expect(world.said().command).not.toHaveProperty("hook");
    expect(world.said().command?.timings).toEqual({ beforeDrainMs: 40_000, drainMs: 43 });
  });

  it("does not come before the drain of a service that has crashed: its repair waits for nothing", () => {
    const { world, v1 } = serving({ beforeDrain: hook });
    world.crash(1);
    world.run(10);
    world.tell(11, { kind: "drain", target: v1, edges: [] });
    world.run(10);
    expect(world.said().command).toMatchObject({ kind: "drain", status: "done" });
    expect(hooksOf(world)).toEqual([]);
  });

  it("comes before anything is stopped, and after the new process is started", () => {
    const { world, v2 } = serving({}, { beforeUpdate: hook, afterUpdate: hook });
    world.tell(11, { kind: "update", target: v2 });
    world.run(100);
    const order = world.asked.map(({ kind }) => kind).filter((kind) => /hook|process/.test(kind));
    expect(order).toEqual(["run-hook", "stop-process", "start-process", "run-hook"]);
    expect(hooksOf(world).map((each) => [each.hook, each.runId, each.attempt, each.step])).toEqual([
      ["beforeUpdate", "c11/beforeUpdate", 1, "update"],
      ["afterUpdate", "c11/afterUpdate", 1, "update"],
    ]);
    expect(world.said()).toMatchObject({ running: v2.id, command: { kind: "update", status: "done" } });
  });

  it("comes last of all before the instance may join", () => {
    const { world, v2 } = serving({}, { beforeRejoin: hook });
    world.tell(11, { kind: "update", target: v2 });
    world.run(100);
    world.answers["run-hook"] = never;
    world.tell(12, { kind: "verify", target: v2, holdMs: 500, attempt: 1 });
    world.run(10_000);
    expect(world.said().command).toMatchObject({ status: "running", hook: "beforeRejoin" });
    expect(world.said().health).toBe("good");
    const [asked] = hooksOf(world);
    if (!asked) throw new Error("no hook was asked for");
    world.happen(answering({ ok: true, value: null })(asked));
    expect(world.said().command).toMatchObject({ kind: "verify", status: "done" });
  });

  it("that fails before the update stops nothing, and says what it printed", () => {
    const { world, v1, v2 } = serving({}, { beforeUpdate: hook });
    world.answers["run-hook"] = answering(err(failure));
    world.tell(11, { kind: "update", target: v2 });
    world.run(100);
    expect(world.count("stop-process")).toBe(0);
    expect(world.said()).toMatchObject({ running: v1.id, command: { status: "failed", failure } });
    world.tell(12, { kind: "verify", target: v1, holdMs: 0, attempt: 2 });
    world.run(5_000);
    expect(world.said().command).toMatchObject({ kind: "verify", status: "done" });
  });

  it("is not run for a target that is there already", () => {
    const { world, v1 } = serving({ beforeUpdate: hook });
    world.tell(11, { kind: "update", target: v1 });
    world.run(100);
    expect(world.said().command?.status).toBe("done");
    expect(hooksOf(world)).toEqual([]);
  });

  it("is run once, however often its command comes", () => {
    const { world, v2 } = serving({}, { beforeUpdate: hook });
    world.answers["run-hook"] = never;
    for (let again = 0; again < 3; again += 1) {
      world.tell(11, { kind: "update", target: v2 });
      world.run(100);
    }
    expect(hooksOf(world)).toHaveLength(1);
  });
});

describe("a hook that nobody waits for any more", () => {
  it("is ended, and the next command begins when it has", () => {
    const { world, v1, v2 } = serving({}, { beforeUpdate: hook });
    world.answers["run-hook"] = never;
    world.tell(11, { kind: "update", target: v2 });
    world.run(100);
    world.tell(12, { kind: "update", target: targetOf("v1", { drain: v1.spec.drain }) });
    world.tell(13, { kind: "revert", target: { ...v1, id: targetOf("v3").id } });
    world.run(1_000);
    expect(world.count("cancel-hook")).toBe(1);
    expect(world.count("stop-process")).toBe(0);
    const [asked] = hooksOf(world);
    if (!asked) throw new Error("no hook was asked for");
    world.happen(answering(err({ code: "hook-cancelled", message: "was ended" }))(asked));
    world.run(100);
    expect(world.count("stop-process")).toBe(1);
    expect(world.said().command).toMatchObject({ kind: "revert", status: "done" });
  });

  it("is ended when its command has run out of time", () => {
    const { world, v2 } = serving({}, { beforeUpdate: hook });
    world.answers["run-hook"] = never;
    world.tell(11, { kind: "update", target: v2 }, { deadlineMs: 70_000 });
    world.run(71_000);
    expect(world.count("cancel-hook")).toBe(1);
    expect(world.said().command).toMatchObject({ status: "failed", failure: { code: "deadline" } });
    expect(world.said().command?.failure?.message).toContain("hook beforeUpdate has not ended yet");
  });
});

describe("a hook that runs while the agent dies", () => {
  const killed = (idempotent: boolean, boot?: string) => {
    const { world, v1, v2 } = serving({}, { beforeUpdate: { ...hook, idempotent } });
    world.answers["run-hook"] = never;
    world.tell(11, { kind: "update", target: v2 });
    world.run(1_000);
    delete world.answers["run-hook"];
    world.restart(boot);
    world.run(1_000);
    return { world, v1, v2 };
  };

  it.each([undefined, "boot-2"])("is not run again, and that is said (%s)", (boot) => {
    const { world } = killed(false, boot);
    expect(hooksOf(world)).toHaveLength(1);
    expect(world.said().command).toMatchObject({ status: "failed", failure: { code: "hook-unknown" } });
    expect(world.count("stop-process")).toBe(0);
  });

  it("is run again where it says that this does no harm, under the same id", () => {
    const { world, v2 } = killed(true);
    expect(hooksOf(world).map(({ runId, attempt }) => [runId, attempt])).toEqual([
      ["c11/beforeUpdate", 1],
      ["c11/beforeUpdate", 2],
    ]);
    expect(world.said()).toMatchObject({ running: v2.id, command: { status: "done" } });
  });

  it("and had ended before is not run again", () => {
    const { world, v2 } = serving({}, { beforeUpdate: hook });
    world.answers["stop-process"] = () => null;
    world.tell(11, { kind: "update", target: v2 });
    world.run(1_000);
    delete world.answers["stop-process"];
    world.restart();
    world.run(1_000);
    expect(hooksOf(world)).toHaveLength(1);
    expect(world.said()).toMatchObject({ running: v2.id, command: { status: "done" } });
  });
});

describe("a one-shot", () => {
  const shot = { kind: "hook", hook: "beforeRollout", shot: "r1/beforeRollout" } as const;

  it("is run once, whatever command asks for it, and says again what came of it", () => {
    const { world, v2 } = serving({}, { beforeRollout: hook });
    world.answers["run-hook"] = answering(err(failure));
    world.tell(11, { ...shot, target: v2 });
    world.run(100);
    expect(world.said().command).toMatchObject({ kind: "hook", status: "failed", failure });
    world.restart();
    world.run(100);
    world.tell(12, { ...shot, target: v2 });
    world.run(100);
    expect(hooksOf(world)).toHaveLength(1);
    expect(world.said().command).toMatchObject({ commandId: "c12", status: "failed", failure });
  });

  it("goes on where another command asks for it meanwhile", () => {
    const { world, v2 } = serving({}, { beforeRollout: hook });
    world.answers["run-hook"] = never;
    world.tell(11, { ...shot, target: v2 });
    world.tell(12, { ...shot, target: v2 });
    world.run(100);
    const [asked] = hooksOf(world);
    if (!asked) throw new Error("no hook was asked for");
    world.happen(answering({ ok: true, value: null })(asked));
    expect(world.count("cancel-hook")).toBe(0);
    expect(hooksOf(world)).toHaveLength(1);
    expect(world.said().command).toMatchObject({ commandId: "c12", status: "done" });
  });

  it("is unknown where the agent died in it, also for every later command", () => {
    const { world, v2 } = serving({}, { beforeRollout: hook });
    world.answers["run-hook"] = never;
    world.tell(11, { ...shot, target: v2 });
    world.run(100);
    world.restart();
    world.run(100);
    world.tell(12, { ...shot, target: v2 });
    world.run(100);
    expect(hooksOf(world)).toHaveLength(1);
    expect(world.said().command).toMatchObject({ commandId: "c12", failure: { code: "hook-unknown" } });
  });
});
