import { HostId, Incarnation } from "@siding/shared/ids";
import { describe, expect, it } from "vitest";
import { type Scene, scene } from "../scene/scene.ts";
import { transcript } from "../scene/transcript.ts";
import { explain } from "./explain.ts";

const migrate = { command: ["./migrate"], timeout: "5m" };
const failure = { code: "hook-failed", message: "hook beforeRollout (./migrate) ended with exit code 3" };
const unknown = { code: "hook-unknown", message: "the agent ended before it did" };
const hook = "beforeRollout" as const;

/** v1 serves, and whatever is rolled out from here on has this hook. */
function withHook(change: { idempotent?: boolean; host?: string } = {}): Scene {
  const stage = scene();
  stage.declare({ hooks: { beforeRollout: { ...migrate, ...change } } });
  return stage;
}

function start(stage: Scene, body: Parameters<Scene["admit"]>[0] = { version: "v2" }): void {
  const admitted = stage.admit(body);
  if (!admitted.ok) throw new Error(admitted.error.message);
  stage.settle();
}

/** A rollout whose hook is running on h1. */
function running(change: { idempotent?: boolean } = {}): Scene {
  const stage = withHook(change);
  stage.behaviours.set("h1", { hangs: { kind: "hook", hook } });
  start(stage);
  return stage;
}

function begunOn(stage: Scene): readonly string[] {
  return stage.log.flatMap(({ body }) =>
    body.type === "command-issued" && body.body.kind === "hook" ? [body.hostId] : [],
  );
}

const allOn = (version: string) => ["h1", "h2", "h3", "h4"].map((host) => `${host}=${version}`);

/** The agent of h1 starts anew; without its journal it knows of nothing. */
function restart(stage: Scene, keepsJournal: boolean): void {
  const host = stage.state.hosts.get(HostId.parse("h1"));
  const instance = host?.instances["web/blue"];
  if (!host?.facts || !instance?.report || !instance.command) throw new Error("h1 runs nothing");
  const { facts, hostId } = host;
  const { service, slot, command } = instance;
  const report = { ...instance.report, command: null, ...(keepsJournal ? {} : { staged: [], revision: 0 }) };
  stage.behaviours.clear();
  stage.commit(
    [
      {
        ...{ type: "host-reported", hostId, incarnation: Incarnation.parse("i-h1-2"), full: true, facts },
        ...{ instances: [report], upstreams: [], voided: [{ service, slot, commandId: command.commandId }] },
      },
    ],
    "h1",
  );
  stage.settle();
}

describe("the hook before a rollout", () => {
  it("runs once, on the first host, when everything is staged and before anything changes", async () => {
    const stage = withHook();
    const from = stage.log.length;
    start(stage);
    await expect(transcript(stage.log.slice(from))).toMatchFileSnapshot("golden/hook-before-rollout.txt");
    expect(stage.rollout()).toMatchObject({
      status: "succeeded",
      beforeRollout: { kind: "done", hostId: "h1" },
    });
  });

  it("runs on the host that is named for it", () => {
    const stage = withHook({ host: "h3" });
    start(stage);
    expect(begunOn(stage)).toEqual(["h3"]);
  });

  it("that fails ends the rollout before anything was changed", async () => {
    const stage = withHook();
    stage.behaviours.set("h1", { fails: { kind: "hook", failure } });
    const from = stage.log.length;
    start(stage);
    await expect(transcript(stage.log.slice(from))).toMatchFileSnapshot(
      "golden/hook-before-rollout-fails.txt",
    );
    expect(stage.listed).toEqual(allOn("v1"));
    expect(explain(stage.rollout(), stage.nowMs)).toBe(
      "web: v1 -> v2, rolling, failed. host h1, before anything was changed: hook beforeRollout (./migrate) ended with exit code 3.",
    );
  });

  it("says that it runs, since when, and for how long it may", () => {
    const stage = running();
    stage.nowMs += 60_000;
    expect(explain(stage.rollout(), stage.nowMs)).toContain(
      "Now: hook beforeRollout is running on h1, before anything changes (timeout 5m), for 1m, at most 4m more.",
    );
    expect(stage.rollout()).toMatchObject({ status: "running", batches: [] });
  });

  it("is not run again by a pause and a resume in the middle of it", () => {
    const stage = running();
    stage.control("pause");
    stage.settle();
    expect(stage.rollout().waiting.map(({ code }) => code)).toEqual(["pausing", "hook"]);
    stage.control("resume");
    stage.behaviours.clear();
    stage.settle();
    expect(begunOn(stage)).toEqual(["h1"]);
    expect(stage.rollout().status).toBe("succeeded");
  });

  it.each(["abort", "rollback"] as const)("is waited for by an %s, and nothing is changed", (verb) => {
    const stage = running();
    stage.control(verb);
    stage.settle();
    expect(stage.rollout().finishedAt).toBeNull();
    stage.behaviours.clear();
    stage.settle();
    expect(stage.rollout().status).toBe(verb === "abort" ? "aborted" : "rolled-back");
    expect(stage.listed).toEqual(allOn("v1"));
    expect(begunOn(stage)).toEqual(["h1"]);
  });

  it("is not run on the way back, neither within the rollout nor by one of its own", () => {
    const stage = withHook();
    start(stage);
    stage.rollBack(stage.rollout());
    stage.settle();
    expect(stage.rollout()).toMatchObject({ status: "succeeded", beforeRollout: null });
    expect(stage.listed).toEqual(allOn("v1"));
    expect(begunOn(stage)).toEqual(["h1"]);
  });

  it("gives nobody a place to run where the named host is none of the service's", () => {
    const stage = withHook({ host: "db1" });
    expect(stage.admit({ version: "v2" })).toMatchObject({ ok: false, error: { code: "hook-impossible" } });
  });

  it("gives nobody a place to run where the named host is held out", () => {
    const stage = withHook({ host: "h2" });
    stage.hold("h2");
    stage.converge();
    expect(stage.admit({ version: "v2" })).toMatchObject({ ok: false, error: { code: "hook-impossible" } });
  });

  it("fails where the named host could not stage the release", () => {
    const stage = withHook({ host: "h2" });
    stage.behaviours.set("h2", {
      fails: { kind: "stage", failure: { code: "disk-full", message: "no space" } },
    });
    start(stage, { version: "v2", maxFailures: 1 });
    expect(stage.rollout()).toMatchObject({
      status: "failed",
      cause: { code: "hook-not-started" },
      batches: [],
    });
  });
});

describe("a hook of which nobody knows how it ended", () => {
  function lost(change: { idempotent?: boolean } = {}): Scene {
    const stage = withHook(change);
    stage.behaviours.set("h1", { fails: { kind: "hook", failure: unknown } });
    start(stage);
    return stage;
  }

  it("pauses the rollout, and a person who resumes says that it counts as done", () => {
    const stage = lost();
    expect(stage.rollout()).toMatchObject({ status: "paused", cause: { code: "hook-unknown" }, batches: [] });
    expect(explain(stage.rollout(), stage.nowMs)).toContain(
      "nobody knows whether hook beforeRollout was done on h1 (the agent ended before it did). Look there: resume goes on as if it was done, it is not run again",
    );
    stage.behaviours.clear();
    stage.control("resume");
    stage.settle();
    expect(stage.rollout().status).toBe("succeeded");
    expect(begunOn(stage)).toEqual(["h1"]);
  });

  it("ends with nothing changed by an abort", () => {
    const stage = lost();
    stage.control("abort");
    stage.settle();
    expect(stage.rollout().status).toBe("aborted");
    expect(stage.listed).toEqual(allOn("v1"));
  });

  it("is run again where it says that this does no harm", () => {
    const stage = withHook({ idempotent: true });
    stage.behaviours.set("h1", { hangs: { kind: "hook", hook } });
    start(stage);
    restart(stage, false);
    expect(begunOn(stage)).toEqual(["h1", "h1"]);
    expect(stage.rollout().status).toBe("succeeded");
  });

  it("is one whose host falls silent; heard again, it says how it ended", () => {
    const stage = running();
    stage.behaviours.set("h1", { silent: true });
    stage.pass(330_000);
    stage.settle();
    expect(stage.rollout()).toMatchObject({ intent: "pause", beforeRollout: { kind: "unknown" } });
    stage.behaviours.clear();
    stage.pass(10_000);
    stage.settle();
    expect(stage.rollout()).toMatchObject({ status: "paused", beforeRollout: { kind: "done" } });
    stage.control("resume");
    stage.settle();
    expect(stage.rollout().status).toBe("succeeded");
    expect(begunOn(stage)).toEqual(["h1"]);
  });

  it("is one whose agent has lost its journal", () => {
    const stage = running();
    restart(stage, false);
    expect(stage.rollout()).toMatchObject({ status: "paused", beforeRollout: { kind: "unknown" } });
    expect(begunOn(stage)).toEqual(["h1"]);
  });

  it("is not one whose agent never heard of it, and has its journal: that is told again", () => {
    const stage = running();
    restart(stage, true);
    expect(begunOn(stage)).toEqual(["h1", "h1"]);
    expect(stage.rollout().status).toBe("succeeded");
  });
});
