import type { InstanceCommandBody } from "@siding/shared/command";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { journalOf } from "./journal-of.ts";
import { targetOf, World } from "./world.fixture.ts";

const targets = ["v1", "v2", "v3"].map((version) => targetOf(version));

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
const tell = fc
  .tuple(fc.integer({ min: 1, max: 30 }), fc.oneof(plain, drain, verify, restart))
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

function live(actions: readonly Action[], check: (world: World) => void = () => {}): World {
  const world = new World();
  world.run(10);
  for (const each of actions) {
    act(world, each);
    check(world);
  }
  world.run(200_000);
  check(world);
  return world;
}

/** What the world would see of an instance, without the times. */
function essence(world: World) {
  return JSON.parse(
    JSON.stringify(journalOf(world.state), (key, value: unknown) =>
      ["timings", "acceptedAtMs", "starts", "startId", "process"].includes(key) ? undefined : value,
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

  it("a command that comes twice does what it does once", () => {
    fc.assert(
      fc.property(life, (actions) => {
        const twice = actions.flatMap((each): Action[] => (each.kind === "tell" ? [each, each] : [each]));
        expect(essence(live(twice))).toEqual(essence(live(actions)));
      }),
    );
  });
});
