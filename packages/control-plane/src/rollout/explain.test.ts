import { describe, expect, it } from "vitest";
import { broken } from "../scene/play.ts";
import { scene } from "../scene/scene.ts";
import { explain } from "./explain.ts";
import type { RolloutRecord } from "./record.ts";

describe("an explanation", () => {
  it("says what it is doing, why it waits and what happens next", () => {
    const stage = scene();
    stage.behaviours.set("h2", { silent: true });
    stage.admit({ version: "v2" });
    stage.settle();
    expect(explain(stage.rollout(), stage.nowMs)).toBe(
      "web: v1 -> v2, rolling, running. 0 of 4 hosts serve it. Now: h2 fetches and unpacks the release, at most 10m10s more. Next: 4 hosts in 4 batches.",
    );
  });

  it("says each kind of reason once", () => {
    const stage = scene();
    stage.admit({ version: "v2" });
    stage.decide();
    stage.decide();
    expect(explain(stage.rollout(), stage.nowMs)).toContain(
      "h1 fetches and unpacks the release (and 3 more)",
    );
  });

  it("names the first of very many, and counts all of them", () => {
    const stage = scene({ hosts: 30 });
    stage.admit({ version: "v2" });
    stage.decide();
    stage.decide();
    const { waiting } = stage.rollout();
    expect(waiting).toHaveLength(20);
    expect(waiting.at(-1)).toMatchObject({ code: "staging", hostId: "h20", more: 10 });
    expect(explain(stage.rollout(), stage.nowMs)).toContain(
      "h1 fetches and unpacks the release (and 29 more)",
    );
  });

  it("says which hook runs, since when and how long it may", () => {
    const stage = scene({ spec: { hooks: { beforeUpdate: { command: ["./pack"], timeout: "1m" } } } });
    stage.behaviours.set("h1", { hangs: { kind: "update", hook: "beforeUpdate" } });
    stage.admit({ version: "v2" });
    stage.settle();
    stage.nowMs += 12_000;
    expect(explain(stage.rollout(), stage.nowMs)).toBe(
      "web: v1 -> v2, rolling, running. 0 of 4 hosts serve it; batch 1 is h1. Now: hook beforeUpdate is running on h1 (timeout 1m), for 12s, at most 48s more. Next: 3 hosts in 3 batches.",
    );
    const from = stage.log.length;
    stage.decide();
    expect(stage.log.length).toBe(from);
  });

  it("says after a failure where things stand and what a person can do", () => {
    const stage = scene();
    stage.behaviours.set("h1", { fails: { kind: "verify", failure: broken } });
    stage.admit({ version: "v2", onFailure: "pause" });
    for (let round = 0; round < 60; round += 1) {
      stage.decide();
      stage.answer();
      if (stage.rollout().failed.length > 0) stage.behaviours.clear();
    }
    expect(explain(stage.rollout(), stage.nowMs)).toBe(
      "web: v1 -> v2, rolling, paused. 0 of 4 hosts serve it. Now: host h1, verifying failed: GET /healthz answered 500. 1 failed, 0 allowed. Resume, abort or roll back.",
    );
  });

  it("of a host that a person drains or gives back says that, and no versions", () => {
    const stage = scene();
    const newest = () => explain([...stage.state.rollouts.values()].at(-1) as RolloutRecord, stage.nowMs);
    stage.behaviours.set("h2", { silent: true });
    stage.hold("h2");
    stage.converge();
    expect(newest()).toBe(
      "web: h2 is drained by hand; running. h2 leaves traffic. Now: h2 drains: requests in flight are counted. Next: it ends when nothing is in flight there.",
    );
    stage.behaviours.clear();
    stage.converge();
    expect(newest()).toBe("web: h2 is drained by hand; succeeded.");
    stage.letGo("h2");
    stage.converge();
    expect(newest()).toBe("web: h2 is out of traffic, so it is brought in on v1; succeeded.");
  });

  it("of the end names the cause once", () => {
    const stage = scene();
    stage.admit({ version: "v2", bakeTime: "1h" });
    stage.settle();
    stage.control("abort");
    stage.settle();
    expect(explain(stage.rollout(), stage.nowMs)).toBe("web: v1 -> v2, rolling, aborted. aborted by alice.");
  });
});
