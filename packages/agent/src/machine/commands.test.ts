import { err, ok } from "@siding/shared/result";
import { describe, expect, it } from "vitest";
import type { Effect } from "./effect.ts";
import type { Event, PeerCount } from "./event.ts";
import { targetOf, World } from "./world.fixture.ts";

const v1 = targetOf("v1");
const v2 = targetOf("v2");

function serving(): World {
  const world = new World();
  world.run(10);
  world.deploy(v1, 1);
  world.asked.length = 0;
  return world;
}

const connected =
  (...peers: PeerCount[]) =>
  ({ op, service, slot }: Extract<Effect, { kind: "count-connections" }>): Event => ({
    kind: "connections-counted",
    op,
    service,
    slot,
    result: { ok: true, value: peers },
  });

const answering =
  (status: number) =>
  ({ op, owner }: Extract<Effect, { kind: "probe" }>): Event => ({
    kind: "probed",
    op,
    owner,
    answer: { kind: "status", status },
  });

describe("a rollout's commands", () => {
  it("bring an instance to serve a target", () => {
    const world = serving();
    expect(world.said()).toMatchObject({
      revision: 4,
      command: { kind: "rejoin", status: "done" },
      staged: [v1.id],
      running: v1.id,
      health: "good",
      trouble: null,
    });
  });

  it("move it to the next target and back", () => {
    const world = serving();
    world.tell(10, { kind: "stage", target: v2 });
    world.run(10);
    expect(world.count("stop-process")).toBe(0);
    world.tell(11, { kind: "drain", target: v1, edges: ["10.0.0.2"] });
    world.run(100);
    expect(world.said().command).toMatchObject({ kind: "drain", status: "done" });
    world.tell(12, { kind: "update", target: v2 });
    world.run(10);
    expect(world.said()).toMatchObject({ running: v2.id, command: { kind: "update", status: "done" } });
    expect(world.said().command?.timings).toEqual({ stopMs: 1, startMs: 1 });
    world.tell(13, { kind: "revert", target: v1 });
    world.run(10);
    expect(world.said()).toMatchObject({ running: v1.id, command: { kind: "revert", status: "done" } });
    expect([world.count("stop-process"), world.count("start-process")]).toEqual([2, 2]);
  });

  it("do not disturb a healthy process that is on the target already", () => {
    const world = serving();
    world.tell(10, { kind: "update", target: v1 });
    world.run(10);
    expect(world.said().command?.status).toBe("done");
    expect(world.count("stop-process")).toBe(0);
  });

  it("are refused before anything is stopped where the release is missing", () => {
    const world = serving();
    world.tell(10, { kind: "update", target: v2 });
    world.run(10);
    expect(world.said()).toMatchObject({
      running: v1.id,
      command: { status: "failed", failure: { code: "release-missing" } },
    });
    expect(world.count("stop-process")).toBe(0);
  });
});

describe("staging", () => {
  const failing =
    (retry: "until-deadline" | "few" | "never") =>
    ({ op, service, slot }: Extract<Effect, { kind: "stage-release" }>): Event => ({
      kind: "staged",
      op,
      service,
      slot,
      result: err({ retry, failure: { code: "artifact-unavailable", message: "connection refused" } }),
    });

  it.each([
    ["never", 1],
    ["few", 3],
  ] as const)("fails after its tries where another may help: %s", (retry, tries) => {
    const world = serving();
    world.answers["stage-release"] = failing(retry);
    world.tell(10, { kind: "stage", target: v2 });
    world.run(60_000);
    expect(world.said().command).toMatchObject({
      status: "failed",
      failure: { code: "artifact-unavailable" },
    });
    expect(world.count("stage-release")).toBe(tries);
  });

  it("tries until its deadline where it may heal, and says what the last try met", () => {
    const world = serving();
    world.answers["stage-release"] = failing("until-deadline");
    world.tell(10, { kind: "stage", target: v2 }, { deadlineMs: 60_000 });
    world.run(59_000);
    expect(world.said().command?.status).toBe("running");
    world.run(2_000);
    expect(world.said().command?.failure).toEqual({
      code: "deadline",
      message: "stage was not done within 1m; the last try: connection refused",
    });
  });

  it("is not failed by being asked to wait, however often, and waits as long as it is asked", () => {
    const world = serving();
    const answers = [
      ...Array.from({ length: 5 }, () => ({ retry: "until-deadline", afterMs: 7_000 }) as const),
      ...(["few", "few"] as const).map((retry) => ({ retry })),
    ];
    world.answers["stage-release"] = ({ op, service, slot }) => {
      const next = answers.shift();
      const failure = { code: "artifact-unavailable", message: "busy" };
      return { kind: "staged", op, service, slot, result: next ? err({ failure, ...next }) : ok(null) };
    };
    world.tell(10, { kind: "stage", target: v2 });
    world.run(34_990);
    expect(world.count("stage-release")).toBe(5);
    world.run(15_000);
    expect(world.said().command?.status).toBe("done");
  });

  it("is given up when a newer command has no use for it, and health goes on", () => {
    const world = serving();
    world.answers["stage-release"] = () => null;
    world.tell(10, { kind: "stage", target: v2 });
    world.tell(11, { kind: "verify", target: v1, holdMs: 0, attempt: 1 });
    world.run(2_000);
    expect(world.count("cancel-stage")).toBe(1);
    expect(world.said().command).toMatchObject({ kind: "verify", status: "done" });
  });

  it("keeps the last five releases and the one that runs", () => {
    const world = serving();
    const later = ["v2", "v3", "v4", "v5", "v6", "v7"].map((version) => targetOf(version));
    for (const [index, target] of later.entries()) {
      world.tell(10 + index, { kind: "stage", target });
      world.run(10);
    }
    expect(world.said().staged).toEqual([v1.id, ...later.slice(1).map((target) => target.id)]);
    const pruned = world.asked.filter((each) => each.kind === "prune-releases").at(-1);
    expect(pruned?.keep.map((release) => release.version).sort()).toEqual([
      "v1",
      "v3",
      "v4",
      "v5",
      "v6",
      "v7",
    ]);
  });

  it("keeps what it served before, however many were staged since: a rollback goes there", () => {
    const world = serving();
    world.deploy(v2, 10);
    for (let number = 3; number <= 9; number += 1) {
      world.tell(20 + number, { kind: "stage", target: targetOf(`v${number}`) });
      world.run(10);
    }
    const kept = ["v1", "v2", "v5", "v6", "v7", "v8", "v9"].map((version) => targetOf(version).id);
    expect(world.said().staged).toEqual(kept);
    world.tell(40, { kind: "update", target: v1 });
    world.run(100);
    expect(world.said()).toMatchObject({ running: v1.id, command: { status: "done" } });
  });
});

describe("a drain", () => {
  it("asks the service nothing meanwhile, and needs three empty counts 20 ms apart", () => {
    const world = serving();
    world.tell(10, { kind: "drain", target: v1, edges: ["10.0.0.2"] });
    world.run(5_000);
    expect(world.count("probe")).toBe(0);
    expect(world.count("count-connections")).toBe(3);
    expect(world.said().command?.timings.drainMs).toBe(43);
  });

  it("is held by edges only, and names the others", () => {
    const world = serving();
    world.answers["count-connections"] = connected({ address: "10.0.0.7", count: 2 });
    world.tell(10, { kind: "drain", target: v1, edges: ["10.0.0.2"] });
    world.run(100);
    expect(world.said().command).toMatchObject({
      status: "done",
      inFlight: { count: 0, others: ["10.0.0.7"] },
    });
  });

  it("is held by everybody where the spec says so", () => {
    const world = serving();
    const patient = targetOf("v1", { drain: { deadlineMs: 1_000, onDeadline: "fail", others: "wait" } });
    world.answers["count-connections"] = connected({ address: "10.0.0.7", count: 2 });
    world.tell(10, { kind: "drain", target: patient, edges: ["10.0.0.2"] });
    world.run(1_100);
    expect(world.said().command).toMatchObject({
      status: "failed",
      failure: { code: "drain-deadline", message: "after 1s still connected: 2 from 10.0.0.7" },
    });
  });

  it("goes on at its deadline where the spec says so", () => {
    const world = serving();
    world.answers["count-connections"] = connected({ address: "10.0.0.2", count: 1 });
    world.tell(10, { kind: "drain", target: v1, edges: ["10.0.0.2"] });
    world.run(29_000);
    expect(world.said().command).toMatchObject({ status: "running", inFlight: { count: 1, others: [] } });
    world.run(1_100);
    expect(world.said().command?.status).toBe("done");
  });

  it("says its counts at most once a second", () => {
    const world = serving();
    let count = 0;
    world.answers["count-connections"] = (effect) => {
      count += 1;
      return connected({ address: "10.0.0.2", count })(effect);
    };
    world.tell(10, { kind: "drain", target: v1, edges: ["10.0.0.2"] });
    const before = world.reports.length;
    world.run(10_000);
    expect(world.reports.length - before).toBeLessThanOrEqual(11);
    expect(world.reports.length - before).toBeGreaterThanOrEqual(9);
  });

  it("is cancelled by a verify, and the process has never stopped", () => {
    const world = serving();
    world.answers["count-connections"] = connected({ address: "10.0.0.2", count: 1 });
    world.tell(10, { kind: "drain", target: v1, edges: ["10.0.0.2"] });
    world.run(100);
    world.tell(11, { kind: "verify", target: v1, holdMs: 0, attempt: 1 });
    world.run(2_000);
    expect(world.said()).toMatchObject({ health: "good", command: { kind: "verify", status: "done" } });
    expect(world.count("stop-process")).toBe(0);
  });
});

describe("a verify", () => {
  it("counts anew, soon after the start and then at the interval", () => {
    const world = serving();
    world.tell(10, { kind: "verify", target: v1, holdMs: 3_000, attempt: 1 });
    expect(world.said().health).toBe("unknown");
    world.run(3_400);
    expect(world.said().command?.status).toBe("running");
    world.run(200);
    expect(world.said().command).toMatchObject({ status: "done", timings: { verifyMs: 3_502 } });
  });

  it.each<[string, Event & { kind: "probed" } extends { answer: infer A } ? A : never]>([
    ["status 500", { kind: "status", status: 500 }],
    ["connection refused", { kind: "refused", message: "ECONNREFUSED" }],
    ["timeout", { kind: "timeout" }],
  ])("fails when its grace is over and names the last answer: %s", (words, answer) => {
    const world = serving();
    world.answers.probe = ({ op, owner }) => ({ kind: "probed", op, owner, answer });
    world.tell(10, { kind: "verify", target: v1, holdMs: 0, attempt: 1 });
    world.run(30_100);
    expect(world.said().command?.failure).toEqual({
      code: "health-grace",
      message: `not healthy within 30s; the last answer of http://10.0.0.1:8080/healthz: ${words}`,
    });
  });

  it("fails with the end of the output when the process ends, and names a port in use", () => {
    const world = serving();
    world.tell(10, { kind: "stage", target: v2 });
    world.run(10);
    world.tell(11, { kind: "update", target: v2 });
    world.run(10);
    world.tell(12, { kind: "verify", target: v2, holdMs: 0, attempt: 1 });
    world.crash(1, "Error: listen EADDRINUSE: address already in use :::8080");
    world.run(60_000);
    expect(world.said()).toMatchObject({ running: null, trouble: { code: "process-exited" } });
    expect(world.said().command?.failure).toEqual({
      code: "process-exited",
      message: "the process ended with exit code 1; it says that port 8080 is already in use",
      output: "Error: listen EADDRINUSE: address already in use :::8080",
    });
    expect(world.count("start-process")).toBe(1);
  });

  it("fails at once where the process had ended before it came", () => {
    const world = serving();
    world.tell(10, { kind: "stage", target: v2 });
    world.run(10);
    world.tell(11, { kind: "update", target: v2 });
    world.run(10);
    world.crash(7, "no config");
    expect(world.said().trouble).toMatchObject({ code: "process-exited", output: "no config" });
    world.tell(12, { kind: "verify", target: v2, holdMs: 0, attempt: 1 });
    expect(world.said().command?.failure?.message).toBe("the process ended with exit code 7");
  });

  it("holds anew after a bad answer in the hold", () => {
    const world = serving();
    world.tell(10, { kind: "verify", target: v1, holdMs: 5_000, attempt: 1 });
    world.run(2_000);
    world.answers.probe = answering(500);
    world.run(500);
    delete world.answers.probe;
    world.run(5_000);
    expect(world.said().command?.status).toBe("running");
    world.run(2_000);
    expect(world.said().command?.status).toBe("done");
  });

  it("is about the wanted target only", () => {
    const world = serving();
    world.tell(10, { kind: "verify", target: v2, holdMs: 0, attempt: 1 });
    expect(world.said().command?.failure).toMatchObject({ code: "wrong-target" });
  });
});

describe("an update", () => {
  const staged = (): World => {
    const world = serving();
    world.tell(10, { kind: "stage", target: v2 });
    world.run(10);
    return world;
  };

  it("is overtaken by a revert when the stop that runs is over", () => {
    const world = staged();
    world.answers["stop-process"] = () => null;
    world.tell(11, { kind: "update", target: v2 });
    world.run(10);
    world.tell(12, { kind: "revert", target: v1 });
    world.run(10);
    expect(world.count("stop-process")).toBe(1);
    const stop = world.asked.find((each) => each.kind === "stop-process");
    if (stop === undefined) throw new Error("nothing was stopped");
    world.happen({
      kind: "process-stopped",
      op: stop.op,
      service: stop.service,
      slot: stop.slot,
      result: { ok: true, value: null },
    });
    world.run(10);
    expect(world.said()).toMatchObject({ running: v1.id, command: { kind: "revert", status: "done" } });
    expect(world.count("start-process")).toBe(1);
  });

  it("fails where the process can't be stopped, and says that it runs", () => {
    const world = staged();
    world.answers["stop-process"] = ({ op, service, slot }) => ({
      kind: "process-stopped",
      op,
      service,
      slot,
      result: err({ code: "stop-failed", message: "pid 7 did not end" }),
    });
    world.tell(11, { kind: "update", target: v2 });
    world.run(60_000);
    expect(world.said()).toMatchObject({ running: v1.id, command: { failure: { code: "stop-failed" } } });
    expect(world.count("stop-process")).toBe(1);
  });

  it("fails where the process can't be started, once", () => {
    const world = staged();
    world.answers["start-process"] = ({ op, service, slot }) => ({
      kind: "process-started",
      op,
      service,
      slot,
      result: err({ code: "port-in-use", message: "10.0.0.1:8080 is taken by pid 9 (nc)" }),
    });
    world.tell(11, { kind: "update", target: v2 });
    world.run(60_000);
    expect(world.said()).toMatchObject({
      running: null,
      trouble: { code: "port-in-use" },
      command: { status: "failed", failure: { code: "port-in-use" } },
    });
    expect(world.count("start-process")).toBe(1);
  });

  it("is over at its deadline, whatever hangs", () => {
    const world = staged();
    world.answers["stop-process"] = () => null;
    world.tell(11, { kind: "update", target: v2 }, { deadlineMs: 5_000 });
    world.run(5_100);
    expect(world.said().command?.failure).toEqual({
      code: "deadline",
      message: "update was not done within 5s; the old process has not stopped yet",
    });
  });
});

describe("a serving process", () => {
  it("is called bad after three bad answers and good after rise good ones", () => {
    const world = serving();
    world.answers.probe = answering(503);
    world.run(1_000);
    expect(world.said().health).toBe("good");
    world.run(1_000);
    expect(world.said()).toMatchObject({ health: "bad", trouble: { code: "health-bad" } });
    delete world.answers.probe;
    world.run(1_500);
    expect(world.said()).toMatchObject({ health: "good", trouble: null });
  });

  it("is started again when it ends by itself, ever more slowly", () => {
    const world = serving();
    world.crash(1);
    expect(world.said()).toMatchObject({ running: null, trouble: { code: "process-exited" } });
    world.run(300);
    expect(world.said().running).toBe(v1.id);
    for (let times = 0; times < 20; times += 1) {
      world.crash(1);
      world.run(31_000);
    }
    expect(world.said().running).toBe(v1.id);
    expect(world.count("start-process")).toBe(21);
  });
});

describe("what is at fault stays apart", () => {
  it("a slot's commands do not touch the other slot", () => {
    const world = serving();
    world.tell(20, { kind: "stage", target: v2 }, { slot: "green" });
    world.run(10);
    world.tell(21, { kind: "update", target: v2 }, { slot: "green" });
    world.run(10);
    expect(world.said("green").running).toBe(v2.id);
    expect(world.said("blue").running).toBe(v1.id);
    expect(world.count("stop-process")).toBe(0);
  });
});
