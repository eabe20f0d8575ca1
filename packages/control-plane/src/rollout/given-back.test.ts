import { expect, it } from "vitest";
import { admit, play, until } from "../scene/play.ts";
import { scene } from "../scene/scene.ts";

it("who was not stopped and has moved is verified where it is now, though an edge is silent that may route to the old place", () => {
  const stage = scene({ hosts: 3, edges: 2 });
  admit(stage, { version: "v2" });
  until(stage, "batch h2");
  stage.behaviours.set("e2", { silent: true });
  stage.settle();
  stage.move("h2", "10.9.9");
  const log = play(stage, () => {
    for (let tens = 0; tens < 30; tens += 1) {
      stage.pass(10_000);
      stage.settle();
    }
  });
  expect(log).toContain("h2 verify v1");
  expect(log).not.toContain("h2 drain");
  expect(stage.rollout()).toMatchObject({ status: "paused", cause: { code: "edge-silent" } });
  stage.behaviours.clear();
  stage.pass(10_000);
  stage.settle();
  const addresses = stage.snapshot.upstream.content.members.map(({ address }) => address);
  expect(addresses).toEqual(["10.0.0.1", "10.9.9.2", "10.0.0.3"]);
});
