import type { RolloutDocument } from "@siding/shared/rest";
import { expect, test } from "vitest";
import { followEvents } from "../fleet/events.ts";
import { finished, reached } from "../fleet/rollouts.ts";
import { SERVICE } from "../fleet/service-spec.ts";
import { expectNothingLost, expectRolled, ROLLOUT_DEADLINE_MS, servingVersions, useFleet } from "./scene.ts";

const fleet = useFleet({
  hosts: 4,
  edges: 1,
  releases: [
    { version: "v1", variant: "sound" },
    { version: "v2", variant: "sound" },
    { version: "broken", variant: "broken" },
  ],
});

const BOTH = ["v1", "v2"];
const all = (version: string) => Array<string>(4).fill(version);

test("rolling, one by one: nothing lost, every host on v2, at most k+1 reloads", async () => {
  const rollout = await expectRolled(fleet(), BOTH, { version: "v2", strategy: { kind: "rolling" } });
  expect(rollout.plan.batches).toHaveLength(4);
  expect(rollout.reloads.e1).toBeLessThanOrEqual(5);
  expect(rollout.batches.every(({ ownMs }) => ownMs !== null)).toBe(true);
  expect(await servingVersions(fleet())).toEqual(all("v2"));
  expect((await fetch(fleet().edge().front.url)).headers.get("x-version")).toBe("v2");
});

test("its events are numbered, end with it, and go on after any of them", async () => {
  const { api } = fleet();
  const { rollout: running } = await api.service(SERVICE);
  expect(running).toBeNull();
  const { id } = await fleet().roll({ version: "v1", strategy: { kind: "rolling", batchSize: "50%" } });
  const ids: number[] = [];
  for await (const event of followEvents(api, id)) ids.push(event.id);
  expect((await api.readRollout(id)).status).toBe("succeeded");
  expect(ids).toEqual(ids.toSorted((left, right) => left - right));
  expect(new Set(ids).size).toBe(ids.length);
  const middle = ids[Math.floor(ids.length / 2)] ?? 0;
  const rest: number[] = [];
  for await (const event of followEvents(api, id, { after: middle })) rest.push(event.id);
  expect(rest).toEqual(ids.filter((number) => number > middle));
});

test("rolling in halves", async () => {
  const rollout = await expectRolled(fleet(), BOTH, {
    version: "v2",
    strategy: { kind: "rolling", batchSize: "50%" },
  });
  expect(rollout.plan.batches.map((batch) => batch.length)).toEqual([2, 2]);
  expect(rollout.reloads.e1).toBeLessThanOrEqual(3);
});

test("in-place: two groups, one swap", async () => {
  const rollout = await expectRolled(fleet(), BOTH, { version: "v1", strategy: { kind: "in-place" } });
  expect(rollout.plan.batches.map((batch) => batch.length)).toEqual([2, 2]);
  expect(rollout.reloads.e1).toBeLessThanOrEqual(3);
  expect(await servingVersions(fleet())).toEqual(all("v1"));
});

test.each(["rolling", "in-place"] as const)("%s to broken rolls back on its own", async (kind) => {
  const ended = await expectNothingLost(fleet(), ["v1"], async () => {
    const { id } = await fleet().roll({ version: "broken", strategy: { kind } });
    return finished(fleet().api, id, "rolled-back", ROLLOUT_DEADLINE_MS);
  });
  const troubled = ended.hosts.find(({ error }) => error !== undefined);
  expect(troubled?.error?.message).toMatch(/500/);
  expect(ended.cause?.message).toContain(troubled?.hostId ?? "a host");
  expect(await servingVersions(fleet())).toEqual(all("v1"));
});

test("a second rollout is refused and told of the first; pause, resume and abort obey", async () => {
  const { api } = fleet();
  await expectNothingLost(fleet(), BOTH, async () => {
    const { id } = await fleet().roll({ version: "v2", strategy: { kind: "rolling" }, bakeTime: "500ms" });
    const second = fleet().roll({ version: "v2" });
    await expect(second).rejects.toMatchObject({ status: 409, code: "rollout-in-progress" });
    await expect(second).rejects.toThrow(id);

    await api.control(id, "pause", "lunch");
    await reached(api, id, "the pause", ({ status }) => status === "paused", ROLLOUT_DEADLINE_MS);
    await api.control(id, "resume");
    await reached(api, id, "two hosts done", ({ hosts }) => done(hosts) >= 2, 30_000);
    await api.control(id, "abort", "enough");
    await finished(api, id, "aborted", ROLLOUT_DEADLINE_MS);
  });
  const versions = await servingVersions(fleet());
  expect(versions).toHaveLength(4);
  expect(versions).toContain("v1");
  expect(versions).toContain("v2");
});

test("what an abort left half-way can be finished, and rolled back without a word about where to", async () => {
  const rollout = await expectRolled(fleet(), BOTH, { version: "v2" });
  const back = await expectNothingLost(fleet(), BOTH, async () => {
    const { id } = await fleet().api.control(rollout.id, "rollback");
    expect(id).not.toBe(rollout.id);
    return finished(fleet().api, id, "succeeded", ROLLOUT_DEADLINE_MS);
  });
  expect(back.service).toBe(SERVICE);
});

test("a rollback by hand in the middle returns what was changed", async () => {
  await expectRolled(fleet(), BOTH, { version: "v1" }).catch(ignoreNothingToDo);
  await expectNothingLost(fleet(), BOTH, async () => {
    const { id } = await fleet().roll({ version: "v2", strategy: { kind: "rolling" }, bakeTime: "300ms" });
    await reached(fleet().api, id, "one host done", ({ hosts }) => done(hosts) >= 1, 30_000);
    await fleet().api.control(id, "rollback");
    await finished(fleet().api, id, "rolled-back", ROLLOUT_DEADLINE_MS);
  });
  expect(await servingVersions(fleet())).toEqual(all("v1"));
});

function done(hosts: RolloutDocument["hosts"]): number {
  return hosts.filter(({ phase }) => phase === "serving").length;
}

function ignoreNothingToDo(error: unknown): void {
  if (!(error instanceof Error && error.message.includes("nothing-to-do"))) throw error;
}
