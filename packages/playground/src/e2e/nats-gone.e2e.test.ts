import { setTimeout as pause } from "node:timers/promises";
import type { RolloutDocument } from "@siding/shared/rest";
import { expect, onTestFinished, test } from "vitest";
import { finished, reached } from "../fleet/rollouts.ts";
import { isAlive } from "../processes/holders.ts";
import { expectNothingLost, ROLLOUT_DEADLINE_MS, servingVersions, useFleet } from "./scene.ts";

/**
 * Ten seconds are longer than every retry here. Where a step's report becomes overdue meanwhile (as in a minute, by
 * SIDING_NATS_GONE_MS=60000), the rollout pauses and waits for a person, and these tests fail.
 */
const GONE_MS = Number(process.env.SIDING_NATS_GONE_MS ?? 10_000);

const fleet = useFleet({
  hosts: 3,
  edges: 1,
  releases: [
    { version: "v1", variant: "sound" },
    { version: "v2", variant: "sound" },
  ],
});

/** Rolls to a version; in the middle of the second batch, does something to NATS. The rollout has to outlive it. */
async function expectRolledDespite(version: string, fault: (pid: number) => Promise<void>): Promise<void> {
  await expectNothingLost(fleet(), ["v1", "v2"], async () => {
    const { id } = await fleet().roll({ version, strategy: { kind: "rolling" } });
    const midway = ({ hosts }: RolloutDocument) =>
      hosts.some(({ phase }) => phase === "serving") && hosts.some(({ phase }) => phase === "updating");
    await reached(fleet().api, id, "the second batch", midway, 30_000);
    await fault(fleet().controlPlane.natsServer().pid);
    await finished(fleet().api, id, "succeeded", ROLLOUT_DEADLINE_MS + GONE_MS);
  });
  expect(await servingVersions(fleet())).toEqual([version, version, version]);
}

test("frozen: nothing is done in the dark, and it goes on afterwards", async () => {
  await expectRolledDespite("v2", async (pid) => {
    onTestFinished(() => void (isAlive(pid) && process.kill(pid, "SIGCONT")));
    process.kill(pid, "SIGSTOP");
    await pause(GONE_MS);
    process.kill(pid, "SIGCONT");
  });
});

test("killed: the control plane starts another", async () => {
  await expectRolledDespite("v1", async (pid) => {
    process.kill(pid, "SIGKILL");
    await pause(0);
  });
});
