import { setTimeout as pause } from "node:timers/promises";
import type { RolloutId } from "@siding/shared/ids";
import type { RolloutDocument } from "@siding/shared/rest";
import { expect, onTestFinished, test } from "vitest";
import { finished, reached } from "../fleet/rollouts.ts";
import { isAlive } from "../processes/holders.ts";
import { expectNothingLost, ROLLOUT_DEADLINE_MS, servingVersions, useFleet } from "./scene.ts";

/** Longer than every deadline of a step here: none of them may be held against anybody. */
const goneMs = 60_000;

const fleet = useFleet({
  hosts: 3,
  edges: 1,
  releases: [
    { version: "v1", variant: "sound" },
    { version: "v2", variant: "sound" },
  ],
});

/** Rolls to a version; in the middle of the second batch, does something to NATS. The rollout has to outlive it. */
async function expectRolledDespite(
  version: string,
  fault: (pid: number, rolloutId: RolloutId) => Promise<void>,
): Promise<void> {
  await expectNothingLost(fleet(), ["v1", "v2"], async () => {
    const { id } = await fleet().roll({ version, strategy: { kind: "rolling" } });
    const midway = ({ hosts }: RolloutDocument) =>
      hosts.some(({ phase }) => phase === "serving") && hosts.some(({ phase }) => phase === "updating");
    await reached(fleet().api, id, "the second batch", midway, 30_000);
    await fault(fleet().controlPlane.natsServer().pid, id);
    await finished(fleet().api, id, "succeeded", ROLLOUT_DEADLINE_MS);
  });
  expect(await servingVersions(fleet())).toEqual([version, version, version]);
}

test("frozen for a minute: nothing is done in the dark, the reason is named, and it goes on afterwards", async () => {
  await expectRolledDespite("v2", async (pid, rolloutId) => {
    onTestFinished(() => void (isAlive(pid) && process.kill(pid, "SIGCONT")));
    process.kill(pid, "SIGSTOP");
    const thawed = pause(goneMs);
    const isBlind = ({ waiting }: RolloutDocument) => waiting.some(({ code }) => code === "blind");
    await reached(fleet().api, rolloutId, "a control plane that says that it is blind", isBlind, goneMs);
    await thawed;
    const { status, explanation } = await fleet().api.readRollout(rolloutId);
    expect(status).toBe("running");
    expect(explanation).toContain("no connection to NATS");
    process.kill(pid, "SIGCONT");
  });
});

test("killed: the control plane starts another", async () => {
  await expectRolledDespite("v1", async (pid) => {
    process.kill(pid, "SIGKILL");
    await pause(0);
  });
});
