import type { HostId } from "@siding/shared/ids";
import { describe, expect, it } from "vitest";
import { until } from "../scene/play.ts";
import { type Scene, scene } from "../scene/scene.ts";
import { transcript } from "../scene/transcript.ts";

const beatMs = 10_000;

/** What is cut: the fleet from NATS, which the control plane goes on hearing, or the control plane from NATS. */
type Cut = "fleet" | "control plane";

/** Every agent beats at a second of its own. Time passes second by second, and each is decided on. */
function live(stage: Scene, seconds: number, isCut: boolean): void {
  for (let second = 0; second < seconds; second += 1) {
    stage.nowMs += 1_000;
    if (!isCut) beatOnTime(stage);
    if (!isCut) stage.settle();
    else while (stage.decide().length > 0);
  }
}

function beatOnTime(stage: Scene): void {
  for (const [index, hostId] of [...stage.state.hosts.keys()].entries()) {
    if ((stage.nowMs / 1_000 + 3 * index) % (beatMs / 1_000) === 0) stage.beat(hostId as HostId);
  }
}

/** A rollout that is cut off from its fleet when it has decided on `line`, for so long, and is then given its time. */
function cutOff(cut: Cut, line: string, seconds: number, fromSecond = 0): Scene {
  const stage = scene({ hosts: 3, edges: 1, spec: { drain: { deadline: "5s" } } });
  stage.nowMs += fromSecond * 1_000;
  for (let second = 0; second < 20; second += 1) live(stage, 1, false);
  const admitted = stage.admit({ version: "v2" });
  if (!admitted.ok) throw new Error(admitted.error.message);
  until(stage, line);
  // A ping that is not answered shows that the connection is gone, after a while.
  const noticed = cut === "fleet" ? seconds : Math.min(seconds, 15);
  live(stage, noticed, true);
  if (noticed < seconds) stage.connectedSinceMs = null;
  live(stage, seconds - noticed, true);
  if (stage.connectedSinceMs === null) stage.connectedSinceMs = stage.nowMs;
  live(stage, 60, false);
  return stage;
}

const steps = ["h1 stage v2", "batch h2", "h2 drain v1", "h2 update v2", "h2 verify v2"];

describe("a fleet that is cut off from the control plane, or it from NATS", () => {
  it.each((["fleet", "control plane"] as const).flatMap((cut) => steps.map((step) => [cut, step] as const)))(
    "(%s, at %s) pauses nothing, however long it lasts and whoever beats first",
    (cut, step) => {
      for (const seconds of [5, 12, 21, 29, 33, 38, 60, 150, 900]) {
        for (let fromSecond = 0; fromSecond < beatMs / 1_000; fromSecond += 3) {
          const stage = cutOff(cut, step, seconds, fromSecond);
          const paused = transcript(stage.log).includes("pause");
          expect({ seconds, fromSecond, paused, status: stage.rollout().status }).toEqual({
            seconds,
            fromSecond,
            paused: false,
            status: "succeeded",
          });
        }
      }
    },
  );

  it("is named as the reason for which the batch in hand waits", () => {
    const stage = scene();
    stage.admit({ version: "v2" });
    until(stage, "h2 update v2");
    stage.connectedSinceMs = null;
    live(stage, 60, true);
    expect(stage.rollout()).toMatchObject({ intent: "forward", failed: [] });
    expect(stage.rollout().waiting.map(({ code }) => code)).toEqual(["blind", "updating"]);
    expect(stage.rollout().waiting[0]?.message).toContain("no connection to NATS");
  });

  it("of which some stay silent: they are named once the others had the time to come back", () => {
    const stage = scene({ hosts: 6 });
    stage.admit({ version: "v2" });
    until(stage, "h1 drain v1");
    for (const id of ["h1", "h2", "h3", "h4"]) stage.behaviours.set(id, { silent: true });
    stage.pass(3_600_000);
    expect(stage.snapshot.blind).toBe("crowd-silent");
    stage.settle();
    expect(stage.rollout()).toMatchObject({ intent: "forward", failed: [] });
    for (const id of ["h2", "h3", "h4"]) stage.behaviours.delete(id);
    stage.pass(10_000);
    stage.settle();
    expect(stage.rollout().intent).toBe("forward");
    stage.pass(60_000);
    stage.settle();
    expect(stage.rollout()).toMatchObject({ status: "paused", cause: { code: "host-silent" } });
    expect(stage.rollout().cause?.message).toContain("h1");
  });

  it("may be one that was never many: a host that is silent by itself pauses at its deadline", () => {
    const stage = scene();
    stage.admit({ version: "v2" });
    until(stage, "h1 drain v1");
    stage.behaviours.set("h1", { silent: true });
    stage.pass(30_000);
    stage.settle();
    expect(stage.rollout().intent).toBe("forward");
    stage.pass(20_000);
    stage.settle();
    expect(stage.rollout()).toMatchObject({ status: "paused", cause: { code: "host-silent" } });
  });

  it("or an agent that beats and never reports: no other could explain that", () => {
    const stage = scene();
    stage.admit({ version: "v2" });
    until(stage, "h1 drain v1");
    stage.pass(60_000);
    while (stage.decide().length > 0);
    expect(stage.rollout()).toMatchObject({ intent: "pause", cause: { code: "host-silent" } });
    expect(stage.rollout().cause?.message).toContain("no report of it came");
  });
});
