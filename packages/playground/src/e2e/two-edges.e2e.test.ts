import { expect, test } from "vitest";
import { finished, reached } from "../fleet/rollouts.ts";
import { until } from "../until.ts";
import {
  expectNothingLost,
  expectNothingLostAt,
  expectRolled,
  ROLLOUT_DEADLINE_MS,
  servingVersions,
  useFleet,
} from "./scene.ts";

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

test("an edge that is gone is excluded by a person, and the rollout goes on; included, it serves what is wanted", async () => {
  const { api } = fleet();
  const [first, second] = [fleet().edge(0), fleet().edge(1)];
  const tell = (verb: "exclude" | "include") =>
    api.raw({
      method: "POST",
      path: `/v1/edges/e2/${verb}`,
      body: "{}",
      headers: { "content-type": "application/json" },
    });
  const edge = async () => (await api.edges()).find(({ id }) => id === "e2");
  // As of a machine that is switched off: neither the agent nor its nginx is there.
  await second.agent.teardown();
  const traffic = [["e1", first.front.target]] as const;
  await expectNothingLostAt(fleet().yard, traffic, BOTH, async () => {
    const { id } = await fleet().roll({ version: "v2", strategy: { kind: "rolling", batchSize: 2 } });
    await reached(
      api,
      id,
      "waiting for e2",
      ({ waiting }) => waiting.some(({ message }) => message.includes("e2")),
      ROLLOUT_DEADLINE_MS,
    );
    expect((await tell("exclude")).status).toBe(200);
    await finished(api, id, "succeeded", ROLLOUT_DEADLINE_MS);
  });
  const left = await edge();
  expect([left?.counted, left?.excluded === null]).toEqual([false, false]);
  second.agent.start();
  expect((await tell("include")).status).toBe(200);
  await until("e2 to count again", async () => (await edge())?.counted, ROLLOUT_DEADLINE_MS);
  await expectRolled(fleet(), BOTH, { version: "v1", strategy: { kind: "rolling", batchSize: 2 } });
});
