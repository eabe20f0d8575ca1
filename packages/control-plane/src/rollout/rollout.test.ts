import { describe, expect, it } from "vitest";
import { type Scene, scene } from "../scene/scene.ts";
import { transcript } from "../scene/transcript.ts";

/** Runs the rest of a rollout and returns what the core decided from here on. */
function play(stage: Scene, act: () => void): string {
  const from = stage.log.length;
  act();
  stage.settle();
  return transcript(stage.log.slice(from));
}

function admit(stage: Scene, body: Parameters<Scene["admit"]>[0]): void {
  const admitted = stage.admit(body);
  if (!admitted.ok) throw new Error(admitted.error.message);
}

/** Decides and answers until the log has a line that starts like this. */
function until(stage: Scene, line: string): void {
  for (let round = 0; round < 200; round += 1) {
    stage.decide();
    if (transcript(stage.log.slice(-12)).includes(line)) return;
    stage.answer();
  }
  throw new Error(`never came: ${line}`);
}

const broken = { code: "health-grace", message: "GET /healthz answered 500" };

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

describe("load headroom", () => {
  const busy = (cpu: number) => ({ cpu, memory: 0.1 });

  it("shrinks the batch, else waits, and says so with the arithmetic", () => {
    const stage = scene({ spec: { capacity: { minServing: "25%", loadCeiling: "75%" } } });
    stage.pass(10_000, busy(0.55));
    play(stage, () => admit(stage, { version: "v2", strategy: { kind: "rolling", batchSize: 2 } }));
    expect(stage.rollout().batches.map((batch) => batch.hosts.length)).toEqual([1, 1, 1, 1]);
    stage.pass(10_000, busy(0.7));
    play(stage, () => admit(stage, { version: "v1", strategy: { kind: "rolling" } }));
    expect(stage.rollout()).toMatchObject({ status: "waiting", batches: [] });
    expect(stage.rollout().waiting[0]?.message).toBe(
      "3 hosts would carry the load of 4: 70 % now, 95 % then, the ceiling is 75 %",
    );
    stage.pass(10_000, busy(0.2));
    stage.settle();
    expect(stage.rollout().status).toBe("succeeded");
  });

  it("counts a host without a sample as at the ceiling", () => {
    const stage = scene({ spec: { capacity: { minServing: "25%", loadCeiling: "75%" } } });
    stage.pass(10_000, { cpu: null, memory: null });
    play(stage, () => admit(stage, { version: "v2" }));
    expect(stage.rollout().waiting).toMatchObject([{ code: "load-headroom" }]);
  });

  it("holds no way back", () => {
    const stage = scene({ spec: { capacity: { minServing: "25%", loadCeiling: "75%" } } });
    stage.pass(10_000, busy(0.2));
    play(stage, () => admit(stage, { version: "v2", bakeTime: "1h" }));
    stage.pass(10_000, busy(0.9));
    play(stage, () => stage.control("rollback"));
    expect(stage.rollout().status).toBe("rolled-back");
  });
});

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
    expect(stage.rollout().hosts).toMatchObject({ h2: { phase: "failed" }, h4: { phase: "serving" } });
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

describe("a person's word", () => {
  it("abort gives the batch in hand back", async () => {
    const stage = scene();
    const log = play(stage, () => {
      admit(stage, { version: "v2", strategy: { kind: "rolling", batchSize: 2 } });
      until(stage, "h1 update v2");
      stage.control("abort");
    });
    await expect(log).toMatchFileSnapshot("golden/abort-while-updating.txt");
    expect(stage.rollout().status).toBe("aborted");
  });

  it("abort while hosts are only delisted lists them again without asking for their health", async () => {
    const stage = scene();
    const log = play(stage, () => {
      admit(stage, { version: "v2" });
      until(stage, "batch h1");
      stage.control("abort");
    });
    await expect(log).toMatchFileSnapshot("golden/abort-while-leaving.txt");
  });

  it("abort while staging is a cancel", () => {
    const stage = scene();
    admit(stage, { version: "v2" });
    stage.decide();
    play(stage, () => stage.control("abort"));
    expect(stage.rollout().status).toBe("aborted");
    expect(stage.rollout().batches).toEqual([]);
  });

  it("abort of in-place before the swap takes its half back", async () => {
    const stage = scene();
    const log = play(stage, () => {
      admit(stage, { version: "v2", strategy: { kind: "in-place" } });
      until(stage, "h2 verify v2");
      stage.control("abort");
    });
    await expect(log).toMatchFileSnapshot("golden/abort-in-place.txt");
    const targets = stage.snapshot.upstream.content.members.map((member) => member.targetId.split("@")[0]);
    expect(new Set(targets)).toEqual(new Set(["v1"]));
  });

  it("rollback in the middle touches only what was changed", async () => {
    const stage = scene();
    const log = play(stage, () => {
      admit(stage, { version: "v2" });
      until(stage, "h3 update v2");
      stage.control("rollback");
    });
    await expect(log).toMatchFileSnapshot("golden/rollback-in-the-middle.txt");
    expect(stage.rollout().status).toBe("rolled-back");
  });

  it("rollback after a batch was given back goes back with everybody that had moved before", () => {
    const stage = scene();
    stage.behaviours.set("h3", { fails: { kind: "update", failure: broken } });
    play(stage, () => admit(stage, { version: "v2", strategy: { kind: "in-place" }, onFailure: "pause" }));
    expect(stage.listed).toEqual(["h1=v2", "h2=v2", "h3=v1", "h4=v1"]);
    stage.behaviours.clear();
    play(stage, () => stage.control("rollback"));
    expect(stage.rollout().status).toBe("rolled-back");
    expect(stage.listed).toEqual(["h1=v1", "h2=v1", "h3=v1", "h4=v1"]);
  });

  it("pause finishes the batch in hand and rests with everybody in traffic", () => {
    const stage = scene();
    play(stage, () => {
      admit(stage, { version: "v2" });
      until(stage, "h2 drain v1");
      stage.control("pause");
    });
    expect(stage.rollout().status).toBe("paused");
    expect(stage.snapshot.upstream.content.members).toHaveLength(4);
    expect(stage.rollout().batches).toHaveLength(2);
    play(stage, () => stage.control("resume"));
    expect(stage.rollout().status).toBe("succeeded");
  });

  it("promote cuts the bake short, and finds no gate elsewhere", () => {
    const stage = scene();
    play(stage, () => admit(stage, { version: "v2", bakeTime: "1h" }));
    expect(stage.rollout().status).toBe("waiting");
    expect(stage.control("promote").ok).toBe(true);
    play(stage, () => undefined);
    expect(stage.rollout().batches).toHaveLength(2);
    stage.pass(3_600_000);
    stage.settle();
    expect(stage.rollout().batches).toHaveLength(3);
    play(stage, () => stage.control("abort"));
    expect(stage.control("promote")).toMatchObject({ ok: false, error: { code: "rollout-finished" } });
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

describe("a swap of in-place over two edges", () => {
  const inPlace = { version: "v2", strategy: { kind: "in-place" as const } };
  const mixed = (stage: Scene) => {
    const lists = stage.log.flatMap(({ body }) =>
      body.type === "upstream-revised" ? [body.content.members] : [],
    );
    return lists.filter((members) => new Set(members.map(({ targetId }) => targetId)).size > 1);
  };

  it("that one edge's nginx refuses is carried out by neither, and rolled back", async () => {
    const stage = scene({ edges: 2 });
    stage.behaviours.set("e2", { refusesSwap: "no more memory" });
    const log = play(stage, () => admit(stage, inPlace));
    await expect(log).toMatchFileSnapshot("golden/in-place-refused.txt");
    expect(stage.rollout().status).toBe("rolled-back");
    expect(stage.rollout().cause?.message).toContain("e2 refused");
    expect(mixed(stage)).toEqual([]);
  });

  it("that only one edge carries out is swapped back, then the rollout pauses with everybody in traffic", async () => {
    const stage = scene({ edges: 2 });
    stage.behaviours.set("e2", { neverSwaps: true });
    const log = play(stage, () => {
      admit(stage, inPlace);
      stage.settle();
      stage.pass(15_000);
    });
    await expect(log).toMatchFileSnapshot("golden/in-place-swapped-back.txt");
    expect(stage.rollout().status).toBe("paused");
    expect(stage.rollout().cause).toMatchObject({ code: "swap-incomplete" });
    expect(mixed(stage)).toEqual([]);
    expect(stage.snapshot.upstream.content.members.map(({ targetId }) => targetId.split("@")[0])).toEqual([
      "v1",
      "v1",
      "v1",
      "v1",
    ]);
    stage.behaviours.clear();
    play(stage, () => stage.control("resume"));
    expect(stage.rollout().status).toBe("succeeded");
  });

  it("says who has not prepared it yet, and an abort swaps back", () => {
    const stage = scene({ edges: 2 });
    admit(stage, inPlace);
    until(stage, "batch h3 h4");
    stage.behaviours.set("e2", { silent: true });
    stage.settle();
    expect(
      stage
        .rollout()
        .waiting.map(({ message }) => message)
        .join(),
    ).toContain("e2 prepares the swap; no edge carries it out before all have prepared it");
    stage.control("abort");
    stage.behaviours.clear();
    stage.settle();
    expect(stage.rollout().status).toBe("aborted");
    expect(mixed(stage)).toEqual([]);
    expect(stage.snapshot.upstream.content.members).toHaveLength(4);
  });

  it("that an edge falls silent in leaves the half out that it may route to, and rests without breaking a rule", () => {
    const stage = scene({ edges: 2 });
    stage.behaviours.set("e2", { neverSwaps: true });
    admit(stage, inPlace);
    stage.settle();
    stage.behaviours.set("e2", { silent: true });
    for (let tens = 0; tens < 30; tens += 1) {
      stage.pass(10_000);
      stage.settle();
    }
    expect(stage.rollout()).toMatchObject({ status: "paused", cause: { code: "swap-incomplete" } });
    expect(mixed(stage)).toEqual([]);
    stage.behaviours.clear();
    stage.pass(10_000);
    stage.settle();
    expect(stage.snapshot.upstream.content.members).toHaveLength(4);
  });
});

it("in-place paused by a person gives its half back when that fails: the swap would be a batch after the budget", () => {
  const stage = scene();
  stage.behaviours.set("h1", { fails: { kind: "verify", failure: broken } });
  admit(stage, { version: "v2", strategy: { kind: "in-place" }, onFailure: "pause" });
  until(stage, "h1 update v2");
  stage.control("pause");
  until(stage, "h1 FAILED");
  stage.behaviours.clear();
  stage.settle();
  expect(stage.rollout()).toMatchObject({ status: "paused", cause: { code: "paused-by-person" } });
  expect(
    new Set(stage.snapshot.upstream.content.members.map(({ targetId }) => targetId.split("@")[0])),
  ).toEqual(new Set(["v1"]));
  expect(stage.snapshot.upstream.content.members).toHaveLength(4);
});
