import { describe, expect, it } from "vitest";
import { admit, play } from "../scene/play.ts";
import { type Scene, scene } from "../scene/scene.ts";

describe("a rollout from end to end", () => {
  it("rolls four hosts one by one", async () => {
    const stage = scene();
    await expect(play(stage, () => admit(stage, { version: "v2" }))).toMatchFileSnapshot(
      "golden/rolling-4.txt",
    );
    expect(stage.rollout().status).toBe("succeeded");
  });

  it("rolls eight hosts by quarters behind two edges", async () => {
    const stage = scene({ hosts: 8, edges: 2 });
    const strategy = { kind: "rolling" as const, batchSize: "25%" };
    const log = play(stage, () => admit(stage, { version: "v2", strategy }));
    await expect(log).toMatchFileSnapshot("golden/rolling-8-by-quarters.txt");
  });

  it("swaps halves in place with one reload in the middle", async () => {
    const stage = scene();
    const log = play(stage, () => admit(stage, { version: "v2", strategy: { kind: "in-place" } }));
    await expect(log).toMatchFileSnapshot("golden/in-place-4.txt");
  });

  it("swaps halves in place over two edges: both prepare before either commits", async () => {
    const stage = scene({ edges: 2 });
    const log = play(stage, () => admit(stage, { version: "v2", strategy: { kind: "in-place" } }));
    await expect(log).toMatchFileSnapshot("golden/in-place-two-edges.txt");
    expect(stage.rollout()).toMatchObject({
      status: "succeeded",
      reloads: { e1: 3, e2: 3 },
      swapSpreadMs: 0,
    });
  });

  it("deploys for the first time without a minimum to keep", async () => {
    const stage = scene({ hosts: 2, deployed: false });
    const log = play(stage, () => admit(stage, { version: "v1" }));
    await expect(log).toMatchFileSnapshot("golden/first-deployment.txt");
    expect(stage.rollout().status).toBe("succeeded");
  });

  it("costs k+1 reloads for k batches", () => {
    for (const [strategy, batches] of [
      [{ kind: "rolling" as const }, 4],
      [{ kind: "rolling" as const, batchSize: 2 }, 2],
      [{ kind: "in-place" as const }, 2],
    ] as const) {
      const stage = scene();
      play(stage, () => admit(stage, { version: "v2", strategy }));
      expect(stage.rollout().reloads).toEqual({ e1: batches + 1 });
    }
  });
});

describe("hooks of a host", () => {
  const hooks = {
    beforeDrain: { command: ["./quiet"], timeout: "20s" },
    beforeUpdate: { command: ["./pack"], timeout: "1m", idempotent: true },
    beforeRejoin: { command: ["./warm"], timeout: "5s" },
  };
  const failure = { code: "hook-failed", message: "hook beforeUpdate (./pack) ended with exit code 3" };

  it("that fail bring the host back to where it came from, and the budget and onFailure decide the rest", async () => {
    const stage = scene({ spec: { hooks } });
    stage.behaviours.set("h2", { fails: { kind: "update", failure } });
    const log = play(stage, () => admit(stage, { version: "v2", maxFailures: 1 }));
    await expect(log).toMatchFileSnapshot("golden/hook-fails.txt");
    expect(stage.rollout()).toMatchObject({ status: "succeeded", failed: ["h2"] });
    expect(stage.listed).toEqual(["h1=v2", "h2=v1", "h3=v2", "h4=v2"]);
  });

  it("have their time in the deadline of their step, those that may run twice two times", () => {
    const deadlines = (stage: Scene) => {
      const from = stage.log.length;
      play(stage, () => admit(stage, { version: "v2" }));
      const issued = stage.log
        .slice(from)
        .flatMap(({ body }) => (body.type === "command-issued" ? [body] : []));
      return new Map(issued.map(({ body, deadlineMs }) => [body.kind, deadlineMs]));
    };
    const [without, with_] = [deadlines(scene()), deadlines(scene({ spec: { hooks } }))];
    const more = (kind: "drain" | "update" | "verify") => (with_.get(kind) ?? 0) - (without.get(kind) ?? 0);
    expect([more("drain"), more("update"), more("verify")]).toEqual([30_000, 140_000, 15_000]);
  });
});

describe("who goes when", () => {
  const plan = (stage: Scene, strategy: Parameters<Scene["admit"]>[0]["strategy"]) => {
    admit(stage, { version: "v2", strategy });
    return stage.rollout().plan.batches.map((batch) => batch.join(" "));
  };

  it("h2 goes before h10", () => {
    expect(plan(scene({ hosts: 11 }), { kind: "rolling" }).slice(-2)).toEqual(["h10", "h11"]);
  });

  it("one whose service has crashed is drained like any other: its agent may be starting it again just now", () => {
    const stage = scene();
    stage.say("h2", { running: null, health: "unknown" });
    const from = stage.log.length;
    play(stage, () => admit(stage, { version: "v2" }));
    const told = stage.log
      .slice(from)
      .flatMap(({ body }) =>
        body.type === "command-issued" && body.hostId === "h2" ? [body.body.kind] : [],
      );
    expect(told).toEqual(["stage", "drain", "update", "verify", "rejoin"]);
  });

  it("the sick first, since they cost nothing", () => {
    const stage = scene();
    const host = stage.state.hosts.get("h3" as never);
    const report = host?.instances["web/blue"]?.report;
    if (!host?.facts || !report || !host.incarnation) throw new Error("h3 runs nothing");
    stage.commit([
      {
        ...{ type: "host-reported", hostId: host.hostId, incarnation: host.incarnation, full: false },
        ...{ facts: host.facts, instances: [{ ...report, health: "bad" }], upstreams: [], voided: [] },
      },
    ]);
    expect(plan(stage, { kind: "rolling" })).toEqual(["h3", "h1", "h2", "h4"]);
  });

  it("who does not serve yet first: that costs nothing either, and may give capacity", () => {
    const stage = scene();
    stage.join("h0", "host");
    stage.join("h9", "host");
    expect(plan(stage, { kind: "rolling" })).toEqual(["h0", "h9", "h1", "h2", "h3", "h4"]);
  });

  it("spread takes as few as it can of each value of the label", () => {
    const labels = (host: number) => ({ zone: host <= 4 ? "a" : "b" });
    const stage = scene({ hosts: 6, labels });
    expect(plan(stage, { kind: "rolling", batchSize: 2, spread: "zone" })).toEqual([
      "h1 h5",
      "h2 h6",
      "h3 h4",
    ]);
  });

  it("all at once, and only where the operator allows the downtime", async () => {
    const stage = scene();
    const strategy = { kind: "all-at-once" as const, allowDowntime: true as const };
    const log = play(stage, () => admit(stage, { version: "v2", strategy }));
    await expect(log).toMatchFileSnapshot("golden/all-at-once-4.txt");
    expect(stage.rollout().status).toBe("succeeded");
    const alone = scene({ hosts: 1 });
    expect(alone.admit({ version: "v2" })).toMatchObject({ ok: false, error: { code: "below-minimum" } });
    play(alone, () => admit(alone, { version: "v2", strategy: { kind: "rolling", allowDowntime: true } }));
    expect(alone.rollout().status).toBe("succeeded");
  });
});
