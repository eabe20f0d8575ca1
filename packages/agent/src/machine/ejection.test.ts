import { describe, expect, it } from "vitest";
import type { Effect } from "./effect.ts";
import type { Event, ProbeAnswer } from "./event.ts";
import { contentOf, revisionOf, World } from "./world.fixture.ts";

type Probe = Extract<Effect, { kind: "probe" }>;

/** A world whose hosts answer well, but for the named ones. */
function serving(hosts: readonly string[]) {
  const ill = new Map<string, ProbeAnswer>();
  const world = new World({
    probe: ({ op, owner }: Probe): Event => {
      const key = owner.kind === "instance" ? "" : owner.key;
      const answer = ill.get(key.replace("/blue", "")) ?? { kind: "status", status: 200 };
      return { kind: "probed", op, owner, answer };
    },
  });
  world.run(10);
  world.send(revisionOf(world, 5, contentOf(hosts)));
  world.run(100);
  world.asked.length = 0;
  return { world, ill };
}

const refused: ProbeAnswer = { kind: "refused", message: "ECONNREFUSED" };
const applies = (world: World) =>
  world.asked.flatMap((each) => (each.kind === "apply-upstream" ? [each.ejected] : []));

describe("a listed member that fails its probes", () => {
  it("is ejected after three bad answers, by one reload, and says which answer it was", () => {
    const { world, ill } = serving(["h1", "h2", "h3"]);
    ill.set("h2", refused);
    world.run(2_900);
    expect(applies(world)).toEqual([]);
    world.run(1_500);
    expect(applies(world)).toEqual([["h2/blue"]]);
    expect(world.saidOfUpstream()).toMatchObject({
      serving: { revision: 5 },
      ejected: [{ hostId: "h2", slot: "blue", detail: "connection refused" }],
      panic: null,
    });
    world.run(60_000);
    expect(applies(world)).toHaveLength(1);
  });

  it("is ejected while the control plane is away", () => {
    const { world, ill } = serving(["h1", "h2", "h3"]);
    world.happen({ kind: "disconnected" });
    ill.set("h2", refused);
    world.run(5_000);
    expect(applies(world)).toEqual([["h2/blue"]]);
  });

  it("comes back after two good answers", () => {
    const { world, ill } = serving(["h1", "h2"]);
    ill.set("h1", { kind: "timeout" });
    world.run(10_000);
    ill.clear();
    world.run(5_000);
    expect(applies(world)).toEqual([["h1/blue"], []]);
    expect(world.saidOfUpstream().ejected).toEqual([]);
  });

  it("comes back later each time that it has failed before", () => {
    const { world, ill } = serving(["h1", "h2"]);
    const away: number[] = [];
    for (let fall = 0; fall < 4; fall += 1) {
      ill.set("h1", refused);
      world.run(6_000);
      expect(world.saidOfUpstream().ejected).toHaveLength(1);
      ill.clear();
      const fromMs = world.nowMs;
      while (world.saidOfUpstream().ejected.length > 0) world.run(500);
      away.push(Math.round((world.nowMs - fromMs) / 1_000));
    }
    expect(away[1]).toBeGreaterThan(away[0] ?? 0);
    expect(away[3]).toBeGreaterThan(2 * (away[1] ?? 0));
  });

  it("is not reloaded for where it has healed before the reload", () => {
    const { world, ill } = serving(["h1", "h2", "h3"]);
    ill.set("h1", refused);
    world.run(4_500);
    ill.set("h2", refused);
    world.run(1_000);
    ill.delete("h2");
    world.run(10_000);
    expect(applies(world)).toEqual([["h1/blue"]]);
  });
});

describe("members that fail together", () => {
  it("are ejected by one reload", () => {
    const { world, ill } = serving(["h1", "h2", "h3", "h4"]);
    ill.set("h1", refused).set("h2", refused);
    world.run(10_000);
    expect(applies(world)).toEqual([["h1/blue", "h2/blue"]]);
  });

  it("one after the other do not reload more often than the minimum interval", () => {
    const hosts = Array.from({ length: 20 }, (_, index) => `h${index}`);
    const { world, ill } = serving(hosts);
    for (const host of hosts.slice(0, 9)) {
      ill.set(host, refused);
      world.run(300);
    }
    world.run(10_000);
    expect(applies(world).at(-1)).toHaveLength(9);
    expect(applies(world).length).toBeLessThanOrEqual(4);
  });

  it("over half of the list are not believed: nobody is ejected, and that is said", () => {
    const { world, ill } = serving(["h1", "h2", "h3"]);
    ill.set("h1", refused).set("h2", refused);
    world.run(10_000);
    expect(applies(world)).toEqual([]);
    expect(world.saidOfUpstream().panic).toContain("2 of 3");
    ill.delete("h2");
    world.run(10_000);
    expect(world.saidOfUpstream()).toMatchObject({ panic: null, ejected: [{ hostId: "h1" }] });
  });

  it("never leave an empty list", () => {
    const { world, ill } = serving(["h1", "h2"]);
    ill.set("h1", refused);
    world.run(6_000);
    ill.delete("h1");
    ill.set("h2", refused);
    world.run(60_000);
    ill.set("h1", refused);
    world.run(60_000);
    for (const ejected of applies(world)) expect(ejected.length).toBeLessThan(2);
    expect(applies(world).at(-1)).toEqual([]);
  });
});

describe("a revision", () => {
  it("takes the ejections along, and forgets those whom it delists", () => {
    const { world, ill } = serving(["h1", "h2", "h3", "h4"]);
    ill.set("h2", refused);
    world.run(5_000);
    world.send(revisionOf(world, 6, contentOf(["h2", "h3", "h4"])));
    world.run(10);
    expect(applies(world).at(-1)).toEqual(["h2/blue"]);
    world.send(revisionOf(world, 7, contentOf(["h3", "h4"])));
    world.run(10);
    expect(applies(world).at(-1)).toEqual([]);
    expect(world.saidOfUpstream()).toMatchObject({ serving: { revision: 7 }, ejected: [] });
  });

  it("that delists a member ends its probes at once", () => {
    const { world } = serving(["h1", "h2"]);
    world.answers["apply-upstream"] = () => null;
    world.send(revisionOf(world, 6, contentOf(["h2"])));
    world.asked.length = 0;
    world.run(5_000);
    const asked = world.asked.flatMap((each) =>
      each.kind === "probe" && each.owner.kind === "listed" ? [each.owner.key] : [],
    );
    expect(new Set(asked)).toEqual(new Set(["h2/blue"]));
  });
});

it("an agent that starts anew keeps its ejections until the member answers well", () => {
  const { world, ill } = serving(["h1", "h2", "h3"]);
  ill.set("h1", refused);
  world.run(5_000);
  const served = world.state.upstreams.get("web" as never)?.served;
  if (!served) throw new Error("nothing is served");
  world.answers["start-edge"] = ({ op }) => ({
    kind: "edge-started",
    op,
    result: { ok: true, value: { kind: "serving", confirmed: [served] } },
  });
  world.asked.length = 0;
  world.restart();
  world.run(5_000);
  expect(applies(world)).toEqual([]);
  expect(world.saidOfUpstream().ejected).toMatchObject([{ hostId: "h1" }]);
  ill.clear();
  world.run(5_000);
  expect(applies(world)).toEqual([[]]);
});
