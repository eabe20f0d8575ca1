import { rmSync, writeFileSync } from "node:fs";
import type { RolloutDocument } from "@siding/shared/rest";
import { expect, onTestFinished, test } from "vitest";
import { finished, reached } from "../fleet/rollouts.ts";
import { isAlive, processesHolding } from "../processes/holders.ts";
import { expectNothingLost, expectRolled, ROLLOUT_DEADLINE_MS, servingVersions, useFleet } from "./scene.ts";

// In-place over two edges: both prepare the swap of the halves before either carries it out.

const fleet = useFleet({
  hosts: 4,
  edges: 2,
  releases: [
    { version: "v1", variant: "sound" },
    { version: "v2", variant: "sound" },
  ],
});

const BOTH = ["v1", "v2"];
const inPlace = (version: string) => ({
  version,
  strategy: { kind: "in-place" as const },
  verifyHold: "1500ms",
});

async function other(): Promise<string> {
  return (await servingVersions(fleet())).includes("v1") ? "v2" : "v1";
}

const isVerifying = ({ hosts }: RolloutDocument) => hosts.some(({ phase }) => phase === "verifying");

function innerMaster(edge: number): number {
  const { runDir } = fleet().edge(edge).agent;
  const master = processesHolding(runDir).find(({ command }) => command.startsWith("nginx: master"));
  if (master === undefined) throw new Error(`no inner nginx runs in ${runDir}`);
  return master.pid;
}

test("swaps on both, reports how far apart, and costs each three reloads", async () => {
  const rollout = await expectRolled(fleet(), BOTH, inPlace("v2"));
  expect(rollout.reloads).toEqual({ e1: 3, e2: 3 });
  expect(rollout.swapSpreadMs).toEqual(expect.any(Number));
  process.stderr.write(`swap spread over two edges: ${rollout.swapSpreadMs} ms\n`);
});

test("that one edge's nginx refuses is carried out by neither", async () => {
  const before = await servingVersions(fleet());
  const foreign = `${fleet().edge(1).agent.runDir}/current/upstreams/zz-foreign.conf`;
  onTestFinished(() => rmSync(foreign, { force: true }));
  await expectNothingLost(fleet(), BOTH, async () => {
    const { id } = await fleet().roll({ ...inPlace(await other()), onFailure: "pause" });
    await reached(fleet().api, id, "the hold before the swap", isVerifying, ROLLOUT_DEADLINE_MS);
    writeFileSync(foreign, "nonsense_directive on;\n");
    const refused = await reached(
      fleet().api,
      id,
      "the refusal",
      ({ cause }) => cause?.message.includes("nonsense_directive") ?? false,
      ROLLOUT_DEADLINE_MS,
    );
    expect(refused.cause?.message).toContain("e2 refused");
    expect(refused.swapSpreadMs).toBeNull();
    rmSync(foreign);
    await reached(fleet().api, id, "the pause", ({ status }) => status === "paused", ROLLOUT_DEADLINE_MS);
    expect(await servingVersions(fleet())).toEqual(before);
    await fleet().api.control(id, "abort");
    await finished(fleet().api, id, "aborted", ROLLOUT_DEADLINE_MS);
  });
});

test("that one edge does not carry out is swapped back by the other, and pauses", async () => {
  const before = await servingVersions(fleet());
  const master = innerMaster(1);
  onTestFinished(() => void (isAlive(master) && process.kill(master, "SIGCONT")));
  await expectNothingLost(fleet(), BOTH, async () => {
    const { id } = await fleet().roll(inPlace(await other()));
    await reached(fleet().api, id, "the hold before the swap", isVerifying, ROLLOUT_DEADLINE_MS);
    process.kill(master, "SIGSTOP");
    const turned = await reached(
      fleet().api,
      id,
      "the turning back",
      ({ cause }) => cause?.code === "swap-incomplete",
      ROLLOUT_DEADLINE_MS,
    );
    expect(turned.cause?.message).toMatch(/e1 swapped .* e2 did not .* e1 swaps back/);
    process.kill(master, "SIGCONT");
    await reached(fleet().api, id, "the pause", ({ status }) => status === "paused", ROLLOUT_DEADLINE_MS);
    expect(await servingVersions(fleet())).toEqual(before);
    await fleet().api.control(id, "resume");
    await finished(fleet().api, id, "succeeded", ROLLOUT_DEADLINE_MS);
  });
});
