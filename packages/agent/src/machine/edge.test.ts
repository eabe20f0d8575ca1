import { err } from "@siding/shared/result";
import { describe, expect, it } from "vitest";
import type { Event } from "./event.ts";
import { appliedWell, contentOf, revisionOf, upstreamName, World } from "./world.fixture.ts";

function ready(): World {
  const world = new World();
  world.run(10);
  return world;
}

describe("an edge whose nginx is missing", () => {
  const message = "no nginx at 'nginx'; install it";
  const noNginx = ({ op }: { op: string }): Event => ({
    kind: "edge-started",
    op,
    result: err({ code: "edge-nginx-missing", message }),
  });

  it("says so of every revision at once, tries again, and serves when it is there", () => {
    const world = new World({ "start-edge": noNginx });
    world.run(10);
    world.send(revisionOf(world, 5, contentOf(["h1"])));
    expect(world.saidOfUpstream()).toMatchObject({ serving: null, trouble: { revision: 5, message } });
    delete world.answers["start-edge"];
    world.run(60_000);
    expect(world.saidOfUpstream()).toMatchObject({ serving: { revision: 5 }, trouble: null });
  });
});

describe("a revision of an upstream", () => {
  it("is applied and reported as served", () => {
    const world = ready();
    world.send(revisionOf(world, 5, contentOf(["h1"])));
    expect(world.saidOfUpstream()).toMatchObject({ revision: 5, serving: null });
    world.run(10);
    expect(world.saidOfUpstream()).toMatchObject({ serving: { revision: 5 }, refused: null, turnoverMs: 5 });
  });

  it("waits for the one that is being applied, and the newest wins", () => {
    const world = ready();
    world.answers["apply-upstream"] = (effect) => (effect.revision === 5 ? null : appliedWell(effect));
    world.send(revisionOf(world, 5, contentOf(["h1"])));
    world.send(revisionOf(world, 6, contentOf(["h2"])));
    world.send(revisionOf(world, 7, contentOf(["h3"])));
    world.run(100);
    const first = world.asked.find((each) => each.kind === "apply-upstream");
    if (first === undefined) throw new Error("nothing was applied");
    world.happen(appliedWell(first));
    world.run(10);
    const revisions = world.asked.flatMap((each) => (each.kind === "apply-upstream" ? [each.revision] : []));
    expect(revisions).toEqual([5, 7]);
    expect(world.saidOfUpstream().serving?.revision).toBe(7);
  });

  const failing =
    (kind: "refused" | "trouble", message: string) =>
    ({ op }: { op: string }): Event => ({
      kind: "upstream-applied",
      op,
      upstream: upstreamName,
      result: err({ kind, message }),
    });

  it("that nginx refuses is not tried again, keeps the last good one, and says why", () => {
    const world = ready();
    world.send(revisionOf(world, 5, contentOf(["h1"])));
    world.run(10);
    world.answers["apply-upstream"] = failing("refused", 'unknown directive "this"');
    world.send(revisionOf(world, 6, contentOf(["h2"])));
    world.run(60_000);
    expect(world.count("apply-upstream")).toBe(2);
    expect(world.saidOfUpstream()).toMatchObject({
      revision: 6,
      serving: { revision: 5 },
      refused: { revision: 6, message: 'unknown directive "this"' },
    });
  });

  it("that meets trouble is tried until it is served", () => {
    const world = ready();
    world.answers["apply-upstream"] = failing("trouble", "nginx does not answer");
    world.send(revisionOf(world, 5, contentOf(["h1"])));
    world.run(300_000);
    expect(world.saidOfUpstream().trouble).toMatchObject({ revision: 5 });
    expect(world.count("apply-upstream")).toBeLessThan(100);
    delete world.answers["apply-upstream"];
    world.run(6_000);
    expect(world.saidOfUpstream()).toMatchObject({ serving: { revision: 5 }, trouble: null });
  });

  it("that hangs is called overdue at its deadline", () => {
    const world = ready();
    world.answers["apply-upstream"] = () => null;
    world.send(revisionOf(world, 5, contentOf(["h1"])));
    world.run(121_000);
    expect(world.saidOfUpstream().trouble?.message).toContain("not confirmed in its time");
  });
});

describe("the inner nginx", () => {
  it("is brought back when it dies, and what it serves stands", () => {
    const world = ready();
    world.send(revisionOf(world, 5, contentOf(["h1"])));
    world.run(10);
    world.happen({ kind: "edge-down", message: "the master is gone" });
    world.run(10);
    expect(world.count("recover-edge")).toBe(1);
    expect(world.saidOfUpstream()).toMatchObject({ serving: { revision: 5 }, refused: null });
  });

  it("that dies again before its recovery is answered is brought back again", () => {
    const world = ready();
    world.send(revisionOf(world, 5, contentOf(["h1"])));
    world.run(10);
    world.happen({ kind: "edge-down", message: "the master is gone" });
    world.happen({ kind: "edge-down", message: "the new master is gone" });
    world.run(1_000);
    expect(world.count("recover-edge")).toBe(2);
    world.send(revisionOf(world, 6, contentOf(["h2"])));
    world.run(10);
    expect(world.saidOfUpstream()).toMatchObject({ serving: { revision: 6 }, trouble: null });
  });

  it("is tried again with growing pauses where it does not come back, and that is said", () => {
    const world = ready();
    world.send(revisionOf(world, 5, contentOf(["h1"])));
    world.run(10);
    world.answers["recover-edge"] = ({ op }) => ({
      kind: "edge-recovered",
      op,
      result: err({ code: "edge-nginx-missing", message: "no nginx at /usr/sbin/nginx" }),
    });
    world.happen({ kind: "edge-down", message: "the master is gone" });
    world.run(60_000);
    expect(world.saidOfUpstream().trouble?.message).toBe("no nginx at /usr/sbin/nginx");
    expect(world.count("recover-edge")).toBeLessThan(25);
    delete world.answers["recover-edge"];
    world.run(6_000);
    expect(world.saidOfUpstream().trouble).toBeNull();
  });
});

describe("a watched instance", () => {
  it("is good after rise good answers, bad after one bad one", () => {
    const world = ready();
    let status = 500;
    world.answers.probe = ({ op, owner }) => ({
      kind: "probed",
      op,
      owner,
      answer: { kind: "status", status },
    });
    world.send(revisionOf(world, 5, contentOf([], { h2: 3 })));
    world.run(1_000);
    expect(world.saidOfUpstream().probes).toEqual([
      { hostId: "h2", slot: "blue", attempt: 3, state: "pending", detail: "status 500" },
    ]);
    expect(world.count("probe")).toBeGreaterThan(15);
    status = 204;
    world.run(1_000);
    expect(world.saidOfUpstream().probes).toEqual([
      { hostId: "h2", slot: "blue", attempt: 3, state: "good" },
    ]);
    status = 503;
    world.run(1_000);
    expect(world.saidOfUpstream().probes).toMatchObject([{ state: "bad", detail: "status 503" }]);
  });

  it("is bad when it has not answered well within its grace", () => {
    const world = ready();
    world.answers.probe = ({ op, owner }) => ({
      kind: "probed",
      op,
      owner,
      answer: { kind: "refused", message: "connection refused" },
    });
    world.send(revisionOf(world, 5, contentOf([], { h2: 3 })));
    world.run(29_000);
    expect(world.saidOfUpstream().probes).toMatchObject([{ state: "pending" }]);
    world.run(2_000);
    expect(world.saidOfUpstream().probes).toMatchObject([{ state: "bad", detail: "connection refused" }]);
  });

  it("counts anew under another attempt, and is forgotten when it is watched no more", () => {
    const world = ready();
    world.send(revisionOf(world, 5, contentOf([], { h2: 3 })));
    world.run(1_000);
    expect(world.saidOfUpstream().probes).toMatchObject([{ attempt: 3, state: "good" }]);
    world.send(revisionOf(world, 6, contentOf([], { h2: 6 })));
    expect(world.saidOfUpstream().probes).toMatchObject([{ attempt: 6, state: "pending" }]);
    world.send(revisionOf(world, 7, contentOf(["h2"])));
    world.asked.length = 0;
    world.run(5_000);
    expect(world.saidOfUpstream().probes).toEqual([]);
    const owners = world.asked.flatMap((each) => (each.kind === "probe" ? [each.owner.kind] : []));
    expect(owners).not.toContain("watched");
  });

  it("keeps its count through a revision that does not change its attempt", () => {
    const world = ready();
    world.send(revisionOf(world, 5, contentOf([], { h2: 3 })));
    world.run(1_000);
    world.send(revisionOf(world, 6, contentOf(["h3"], { h2: 3 })));
    expect(world.saidOfUpstream().probes).toMatchObject([{ attempt: 3, state: "good" }]);
  });
});

describe("a revision that is prepared", () => {
  const serving = () => {
    const world = ready();
    world.send(revisionOf(world, 5, contentOf(["h1"])));
    world.run(10);
    return world;
  };

  it("is tested, reported, and served only when it is committed", () => {
    const world = serving();
    world.send(revisionOf(world, 6, contentOf(["h2"]), "prepare"));
    world.run(100);
    expect(world.saidOfUpstream()).toMatchObject({
      revision: 5,
      serving: { revision: 5 },
      prepared: { revision: 6 },
    });
    expect(world.count("apply-upstream")).toBe(1);
    world.send(revisionOf(world, 6, contentOf(["h2"])));
    world.run(100);
    expect(world.saidOfUpstream()).toMatchObject({ serving: { revision: 6 }, prepared: null });
    expect(world.count("prepare-upstream")).toBe(1);
  });

  it("is forgotten by a discard and by a newer revision, and prepared once when told twice", () => {
    const world = serving();
    const prepare = revisionOf(world, 6, contentOf(["h2"]), "prepare");
    world.send(prepare);
    world.run(10);
    world.send(prepare);
    world.run(10);
    expect(world.count("prepare-upstream")).toBe(1);
    world.send(revisionOf(world, 6, contentOf(["h2"]), "discard"));
    expect(world.saidOfUpstream().prepared).toBeNull();
    world.send(revisionOf(world, 7, contentOf(["h2"]), "prepare"));
    world.run(10);
    world.send(revisionOf(world, 8, contentOf(["h1", "h2"])));
    world.run(10);
    expect(world.saidOfUpstream()).toMatchObject({ serving: { revision: 8 }, prepared: null });
  });

  it("and that nginx refuses says why, while the edge serves on; trouble is tried again", () => {
    const world = serving();
    let answer: "refused" | "trouble" = "trouble";
    world.answers["prepare-upstream"] = ({ op }) => ({
      kind: "upstream-prepared",
      op,
      upstream: upstreamName,
      result: err({ kind: answer, message: "unknown directive" }),
    });
    world.send(revisionOf(world, 6, contentOf(["h2"]), "prepare"));
    world.run(1_000);
    expect(world.saidOfUpstream().trouble).toMatchObject({ revision: 6 });
    answer = "refused";
    world.run(10_000);
    expect(world.saidOfUpstream()).toMatchObject({
      serving: { revision: 5 },
      prepared: null,
      refused: { revision: 6, message: "unknown directive" },
    });
  });
});
