import { expect, test } from "vitest";
import { finished, reached } from "../fleet/rollouts.ts";
import { expectNothingLost, expectRolled, ROLLOUT_DEADLINE_MS, servingVersions, useFleet } from "./scene.ts";

const fleet = useFleet({
  hosts: 4,
  edges: 2,
  releases: [
    { version: "v1", variant: "sound" },
    { version: "v2", variant: "sound" },
  ],
});

const BOTH = ["v1", "v2"];

test("rolling over two edges: both serve v2, each was reloaded at most k+1 times", async () => {
  const rollout = await expectRolled(fleet(), BOTH, {
    version: "v2",
    strategy: { kind: "rolling", batchSize: 2 },
  });
  expect(Object.keys(rollout.reloads).toSorted()).toEqual(["e1", "e2"]);
  for (const reloads of Object.values(rollout.reloads)) expect(reloads).toBeLessThanOrEqual(3);
  expect(await servingVersions(fleet())).toEqual(["v2", "v2", "v2", "v2"]);
  for (const { front } of fleet().edges) {
    expect((await fetch(front.url)).headers.get("x-version")).toBe("v2");
  }
});

test("no host is stopped before both edges confirm: with one agent dead it waits, and says for whom", async () => {
  const [, second] = fleet().edges;
  await expectNothingLost(fleet(), BOTH, async () => {
    await second?.agent.kill();
    const { id } = await fleet().roll({ version: "v1", strategy: { kind: "rolling" } });
    const waits = await reached(
      fleet().api,
      id,
      "waiting for e2",
      ({ waiting }) => waiting.some(({ message }) => message.includes("e2")),
      ROLLOUT_DEADLINE_MS,
    );
    const touched = ["draining", "updating", "verifying", "joining"];
    expect(waits.hosts.filter(({ phase }) => touched.includes(phase))).toEqual([]);
    second?.agent.start();
    await finished(fleet().api, id, "succeeded", ROLLOUT_DEADLINE_MS);
  });
  expect(await servingVersions(fleet())).toEqual(["v1", "v1", "v1", "v1"]);
});
