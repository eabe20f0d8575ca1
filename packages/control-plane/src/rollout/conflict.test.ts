import { isFinished } from "@siding/shared/phases";
import { describe, expect, it } from "vitest";
import { admit, until } from "../scene/play.ts";
import { type Scene, scene } from "../scene/scene.ts";
import { transcript } from "../scene/transcript.ts";

/** Time passes, and everybody answers who can. */
function live(stage: Scene, seconds: number): void {
  for (let second = 0; second < seconds; second += 10) {
    stage.pass(10_000);
    stage.settle();
  }
}

/** From here on two agents beat as `id`, until it is forgotten again. */
function clone(stage: Scene, id: string): () => void {
  stage.behaviours.set(id, { cloned: true });
  return () => stage.behaviours.delete(id);
}

function deployed(): Scene {
  const stage = scene({ hosts: 3, edges: 2 });
  live(stage, 10);
  return stage;
}

function reasonsOf(stage: Scene): readonly string[] {
  return stage.rollout().waiting.map(({ code }) => code);
}

/** The rollout is paused for it, and goes on when it is gone and a person resumes. */
function expectPausedUntil(stage: Scene, heal: () => void): void {
  expect(stage.rollout()).toMatchObject({ status: "paused", cause: { code: "identity-conflict" } });
  heal();
  live(stage, 60);
  stage.control("resume");
  live(stage, 60);
  expect(stage.rollout().status).toBe("succeeded");
}

const steps = ["h1 stage v2", "h1 drain v1", "h1 update v2", "h1 verify v2", "h2 drain v1", "h3 verify v2"];

describe("an id that two agents claim", () => {
  it("before a rollout is named by it from the start, with where both are, and pauses it after two minutes", () => {
    const stage = deployed();
    clone(stage, "h1");
    live(stage, 60);
    admit(stage, { version: "v2" });
    stage.settle();
    expect(stage.rollout().waiting).toMatchObject([{ code: "identity-conflict", hostId: "h1" }]);
    expect(stage.rollout().waiting[0]?.message).toBe(
      "two agents beat as h1, from 10.0.0.1 both (incarnations i-h1 and i-h1-clone): stop the cloned one, or give it an id of its own; nothing is sent to h1 until then",
    );
    expect(stage.rollout().status).toBe("waiting");
    live(stage, 130);
    expect(stage.rollout()).toMatchObject({
      status: "paused",
      cause: { code: "identity-conflict" },
      failed: [],
    });
    expect(transcript(stage.log)).not.toContain("h1 stage v2");
  });

  it("that is stopped in time holds the rollout up and nothing else", () => {
    const stage = deployed();
    const heal = clone(stage, "h1");
    live(stage, 60);
    admit(stage, { version: "v2" });
    live(stage, 60);
    heal();
    live(stage, 60);
    expect(stage.rollout()).toMatchObject({ status: "succeeded", cause: null });
  });

  it.each(steps)("at %s is named, pauses the rollout, and is gone on with when a person resumes", (step) => {
    const stage = deployed();
    admit(stage, { version: "v2" });
    until(stage, step);
    const heal = clone(stage, step.slice(0, 2));
    live(stage, 60);
    expect(reasonsOf(stage)).toContain("identity-conflict");
    live(stage, 200);
    expectPausedUntil(stage, heal);
  });

  it.each(steps)("at %s does not keep a rollback, or an abort, from its end", (step) => {
    for (const verb of ["rollback", "abort"] as const) {
      const stage = deployed();
      admit(stage, { version: "v2" });
      until(stage, step);
      clone(stage, step.slice(0, 2));
      live(stage, 260);
      stage.control(verb);
      live(stage, 1_200);
      expect({ verb, isOver: isFinished(stage.rollout().status) }).toEqual({ verb, isOver: true });
    }
  });

  it("of an edge is named too, and in its own trouble", () => {
    const stage = deployed();
    const heal = clone(stage, "e1");
    live(stage, 60);
    admit(stage, { version: "v2" });
    live(stage, 10);
    expect(stage.rollout().waiting).toContainEqual(
      expect.objectContaining({ hostId: "e1", code: "identity-conflict" }),
    );
    live(stage, 200);
    expectPausedUntil(stage, heal);
  });

  it("concerns nobody where a person holds the host out of traffic", () => {
    const stage = deployed();
    stage.hold("h1", "removed");
    stage.converge();
    clone(stage, "h1");
    live(stage, 60);
    admit(stage, { version: "v2" });
    live(stage, 60);
    expect(stage.rollout().status).toBe("succeeded");
  });
});
