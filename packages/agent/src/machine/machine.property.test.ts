import type { InstanceCommandBody } from "@siding/shared/command";
import type { HookSpec } from "@siding/shared/hooks";
import { ok } from "@siding/shared/result";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { journalOf } from "./journal-of.ts";
import { type Answers, service, targetOf, World } from "./world.fixture.ts";

const hook: HookSpec = { command: ["./hook"], timeoutMs: 500, env: {}, idempotent: false };
const harmless = { ...hook, idempotent: true };
const targets = [
  targetOf("v1"),
  targetOf("v2", { hooks: { beforeDrain: hook, beforeUpdate: hook, afterUpdate: hook, beforeRejoin: hook } }),
  targetOf("v3", { hooks: { beforeUpdate: harmless, beforeRollout: hook } }),
];

type Action =
  | { readonly kind: "tell"; readonly revision: number; readonly body: InstanceCommandBody }
  | { readonly kind: "wait"; readonly forMs: number }
  | { readonly kind: "crash" | "restart" | "boot" | "reconnect" };

const target = fc.constantFrom(...targets);
const plain = fc
  .tuple(fc.constantFrom("stage", "update", "revert", "rejoin"), target)
  .map(([kind, to]): InstanceCommandBody => ({ kind, target: to }));
const drain = target.map((to): InstanceCommandBody => ({ kind: "drain", target: to, edges: ["10.0.0.2"] }));
const restart = fc
  .tuple(target, fc.constantFrom("r1", "r2"))
  .map(([to, shot]): InstanceCommandBody => ({ kind: "restart", target: to, shot }));
const verify = fc
  .tuple(target, fc.constantFrom(0, 700))
  .map(([to, holdMs]): InstanceCommandBody => ({ kind: "verify", target: to, holdMs, attempt: 1 }));
const shot = fc.constantFrom("r1", "r2").map(
  (id): InstanceCommandBody => ({
    kind: "hook",
    hook: "beforeRollout",
    shot: id,
    target: targetOf("v3", targets[2]?.spec),
  }),
);
const tell = fc
  .tuple(fc.integer({ min: 1, max: 30 }), fc.oneof(plain, drain, verify, restart, shot))
  .map(([revision, body]): Action => ({ kind: "tell", revision, body }));
const wait = fc.integer({ min: 0, max: 3_000 }).map((forMs): Action => ({ kind: "wait", forMs }));
const accident = fc.constantFrom("crash", "restart", "boot", "reconnect").map((kind): Action => ({ kind }));
const action = fc.oneof(
  { weight: 6, arbitrary: tell },
  { weight: 3, arbitrary: wait },
  { weight: 1, arbitrary: accident },
);
const life = fc.array(action, { maxLength: 40 });

function act(world: World, each: Action): void {
  switch (each.kind) {
    case "tell":
      world.tell(each.revision, each.body);
      break;
    case "wait":
      world.run(each.forMs);
      endHooks(world);
      break;
    case "crash":
      world.crash(1, "gone");
      break;
    case "restart":
      world.restart();
      break;
    case "boot":
      world.restart(`boot-${world.nowMs}`);
      break;
    case "reconnect":
      world.happen({ kind: "connected", beatOffset: 0 });
      break;
  }
}

/** Hooks take a while, so that everything else may come between. */
const slowHooks: Answers = { "run-hook": () => null };

function endHooks(world: World): void {
  const running = world.state.instances.get("web/blue")?.hooking;
  if (running?.kind !== "running") return;
  const { op, hook: name } = running;
  world.happen({ kind: "hook-ended", op, service, slot: "blue", hook: name, result: ok(null) });
}

function live(actions: readonly Action[], check: (world: World) => void = () => {}): World {
  const world = new World(slowHooks);
  world.run(10);
  for (const each of actions) {
    act(world, each);
    check(world);
  }
  for (let again = 0; again < 5; again += 1) {
    world.run(200_000);
    endHooks(world);
    check(world);
  }
  return world;
}

/** What the world would see of an instance, without the times. */
function essence(world: World) {
  return JSON.parse(
    JSON.stringify(journalOf(world.state), (key, value: unknown) =>
      ["timings", "acceptedAtMs", "begunAtMs", "starts", "startId", "process"].includes(key)
        ? undefined
        : value,
    ),
  ) as unknown;
}

describe("whatever happens to an agent", () => {
  it("its journal on disk is what it goes by", () => {
    fc.assert(
      fc.property(life, (actions) => {
        live(actions, (world) => expect(journalOf(world.state)).toEqual(world.journal));
      }),
    );
  });

  it("it never goes back to an older revision", () => {
    fc.assert(
      fc.property(life, (actions) => {
        let highest = 0;
        live(actions, (world) => {
          const now = world.state.instances.get("web/blue")?.journal.command?.revision ?? 0;
          expect(now).toBeGreaterThanOrEqual(highest);
          highest = now;
        });
      }),
    );
  });

  it("it stops a process only for an update, a revert or a restart, and never runs two", () => {
    fc.assert(
      fc.property(life, (actions) => {
        const world = live(actions, (each) => expect(each.processes.size).toBeLessThanOrEqual(1));
        const updates = actions.filter(
          (each) => each.kind === "tell" && ["update", "revert", "restart"].includes(each.body.kind),
        );
        expect(world.count("stop-process")).toBeLessThanOrEqual(updates.length);
      }),
    );
  });

  it("every command comes to an end, and what has served runs", () => {
    fc.assert(
      fc.property(life, (actions) => {
        const { state, processes } = live(actions);
        const instance = state.instances.get("web/blue");
        expect(instance?.journal.command?.outcome.kind).not.toBe("running");
        if (instance?.journal.wanted?.proven === true) expect(processes.size).toBe(1);
      }),
    );
  });

  it("no hook is run twice, but one that says that this does no harm", () => {
    fc.assert(
      fc.property(life, (actions) => {
        const asked = live(actions).asked.filter((each) => each.kind === "run-hook");
        for (const one of asked) {
          const runs = asked.filter(({ runId }) => runId === one.runId);
          if (one.target.spec.hooks[one.hook]?.idempotent === false) expect(runs).toHaveLength(1);
        }
      }),
    );
  });

  it("a command that comes twice does what it does once", () => {
    fc.assert(
      fc.property(life, (actions) => {
        const twice = actions.flatMap((each): Action[] => (each.kind === "tell" ? [each, each] : [each]));
        expect(essence(live(twice))).toEqual(essence(live(actions)));
      }),
    );
  });
});
