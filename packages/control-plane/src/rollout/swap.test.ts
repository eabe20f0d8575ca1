import { describe, expect, it } from "vitest";
import { admit, broken, play, until } from "../scene/play.ts";
import { type Scene, scene } from "../scene/scene.ts";

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

  it("that was refused before is said once more to a rollout that begins, or is resumed, afterwards", () => {
    const stage = scene({ edges: 2, deployed: false });
    stage.behaviours.set("e2", { refusesSwap: "no more memory" });
    play(stage, () => admit(stage, { ...inPlace, version: "v1" }));
    expect(stage.rollout()).toMatchObject({ status: "failed", cause: { code: "rollback-incomplete" } });
    stage.pass(1_000);
    play(stage, () => admit(stage, { ...inPlace, onFailure: "pause" }));
    expect(stage.rollout()).toMatchObject({ status: "paused", cause: { code: "edge-refused" } });
    stage.behaviours.clear();
    stage.pass(1_000);
    play(stage, () => stage.control("resume"));
    expect(stage.rollout().status).toBe("succeeded");
    expect(stage.listed).toEqual(["h1=v2", "h2=v2", "h3=v2", "h4=v2"]);
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

  it("is not undone at once through an edge that came in its middle: it has never routed to the half that had left", () => {
    const stage = scene({ edges: 1 });
    admit(stage, inPlace);
    until(stage, "batch h3 h4");
    stage.behaviours.set("e1", { silent: true });
    stage.settle();
    stage.join("e2", "edge");
    stage.settle();
    for (let seconds = 0; seconds < 20; seconds += 10) {
      stage.pass(10_000);
      stage.settle();
    }
    stage.behaviours.clear();
    for (let tens = 0; tens < 20; tens += 1) {
      stage.pass(10_000);
      stage.settle();
    }
    expect(stage.rollout()).toMatchObject({ status: "paused", cause: { code: "swap-incomplete" } });
    expect(stage.rollout().cause?.message).toContain("the half that left is given back");
    expect(stage.listed).toEqual(["h1=v2", "h2=v2", "h3=v1", "h4=v1"]);
    stage.control("resume");
    stage.settle();
    expect(stage.rollout().status).toBe("succeeded");
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

it("in-place paused by a person is brought to its end, also where a host has lost its staged release meanwhile", () => {
  const stage = scene();
  admit(stage, { version: "v2", strategy: { kind: "in-place" } });
  until(stage, "h1 update v2");
  stage.control("pause");
  stage.say("h4", { staged: [] });
  stage.settle();
  expect(stage.rollout().status).toBe("succeeded");
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
