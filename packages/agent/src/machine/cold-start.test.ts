import type { HostId, Incarnation, UpstreamName } from "@siding/shared/ids";
import { err, ok } from "@siding/shared/result";
import { describe, expect, it } from "vitest";
import type { Effect } from "./effect.ts";
import { resume } from "./resume.ts";
import { contentOf, revisionOf, servedOf, World } from "./world.fixture.ts";

type Start = Extract<Effect, { kind: "start-edge" }>;

const other = { ...contentOf(["h3"]), upstream: "other" as UpstreamName };

/** An edge that serves `web` (5) and `other` (6), and whose machine has lost power; the control plane is not there. */
function rebooted(): World {
  const world = new World();
  world.run(10);
  world.send(revisionOf(world, 5, contentOf(["h1", "h2", "h3"])));
  world.send(revisionOf(world, 6, other));
  world.run(100);
  world.asked.length = 0;
  world.restart("boot-2");
  return world;
}

/** What nginx was started with, as `revision less the ejected`. */
function startedWith(world: World) {
  const starts = world.asked.filter((each): each is Start => each.kind === "start-edge");
  return starts.flatMap(({ lists }) =>
    lists === null ? [] : [lists.map(({ revision, ejected }) => [revision, ...ejected].join(" less "))],
  );
}

describe("an edge on which no nginx runs", () => {
  it("says that it serves nobody, and starts none before it has heard of every upstream", () => {
    const world = rebooted();
    world.run(1_000);
    expect(startedWith(world)).toEqual([]);
    expect(world.saidOfUpstream()).toMatchObject({
      revision: 6,
      serving: null,
      trouble: { revision: 6, message: expect.stringContaining("it asks the control plane") as unknown },
    });
    world.send(revisionOf(world, 9, contentOf(["h1"])));
    world.run(1_000);
    expect(startedWith(world)).toEqual([]);
    expect(world.saidOfUpstream()).toMatchObject({ revision: 9, serving: null });
    world.send(revisionOf(world, 6, other));
    world.run(100);
    expect(startedWith(world)).toEqual([["9", "6"]]);
    expect(world.saidOfUpstream()).toMatchObject({ serving: { revision: 6 }, trouble: null });
    expect(world.count("apply-upstream")).toBe(0);
  });

  it("serves the last lists after a while without a word, less whom its probes find dead", () => {
    const world = rebooted();
    world.happen({ kind: "disconnected" });
    world.answers.probe = ({ op, owner }) => {
      const dead = owner.kind !== "instance" && owner.key === "h2/blue";
      const answer = dead ? ({ kind: "timeout" } as const) : ({ kind: "status", status: 200 } as const);
      return { kind: "probed", op, owner, answer };
    };
    world.run(4_900);
    expect(startedWith(world)).toEqual([]);
    world.run(200);
    expect(startedWith(world)).toEqual([["5 less h2/blue", "6"]]);
    world.run(10_000);
    expect(world.count("apply-upstream")).toBe(0);
  });

  it("leaves out whom it had ejected before, until that answers well", () => {
    const world = rebooted();
    const served = { ...servedOf({ content: other, revision: 6, ejected: [] }), ejected: ["h3/blue"] };
    world.answers["start-edge"] = ({ op, lists }) => ({
      kind: "edge-started",
      op,
      result: ok({ kind: lists === null ? "cold" : "serving", confirmed: [served] }),
    });
    world.restart("boot-3");
    world.run(10);
    const standing = (hostId: string) =>
      world.state.upstreams.get(other.upstream)?.listed.get(`${hostId as HostId}/blue`)?.standing.kind;
    expect(standing("h3")).toBe("failing");
    world.run(10_000);
    expect(standing("h3")).toBe("well");
  });

  it("that does not start is tried again without another wait, with what is newest then", () => {
    const world = rebooted();
    world.answers["start-edge"] = ({ op, lists }) => ({
      kind: "edge-started",
      op,
      result:
        lists === null
          ? ok({ kind: "cold", confirmed: [] })
          : err({ code: "edge-nginx-down", message: "nginx did not start" }),
    });
    world.restart("boot-3");
    world.run(5_100);
    expect(world.saidOfUpstream().trouble?.message).toBe("nginx did not start");
    world.send(revisionOf(world, 7, other));
    delete world.answers["start-edge"];
    world.run(500);
    expect(startedWith(world).at(-1)).toEqual(["5", "7"]);
  });

  it("has nothing to write down first, so that a full disk keeps nobody from being served", () => {
    const { state, journal } = rebooted();
    const agent = { ...state.agent, roles: ["edge" as const] };
    const { effects } = resume({ agent, journal, incarnation: "inc9" as Incarnation, bootId: "boot-9" }, 1);
    expect(effects.map(({ kind }) => kind)).toEqual(["start-edge"]);
  });

  it("and that was never told of an upstream starts one at once", () => {
    const world = new World();
    world.run(10);
    expect(startedWith(world)).toEqual([[]]);
  });
});

it("an nginx that runs is taken over, and nobody waits", () => {
  const world = rebooted();
  world.run(6_000);
  world.asked.length = 0;
  world.restart();
  world.run(10_000);
  expect(world.asked.flatMap((each) => (each.kind === "start-edge" ? [each.lists] : []))).toEqual([null]);
});
