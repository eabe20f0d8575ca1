import { randomBytes } from "node:crypto";
import type { HostPhase } from "@siding/shared/phases";
import type { RolloutDocument } from "@siding/shared/rest";
import { expect, test } from "vitest";
import { call } from "../fleet/http-call.ts";
import { finished, reached } from "../fleet/rollouts.ts";
import { expectNothingLost, ROLLOUT_DEADLINE_MS, servingVersions, useFleet } from "./scene.ts";

// A host's agent is killed in every phase that it works in, and started again. Its service must not notice.

const VERSIONS = ["v1", "v2", "large", "slow-start", "slow-stop"];

/** Takes a while to fetch and unpack. */
const LARGE_BYTES = 60_000_000;

const fleet = useFleet({
  hosts: 3,
  edges: 1,
  releases: [
    { version: "v1", variant: "sound" },
    { version: "v2", variant: "sound" },
    { version: "slow-start", variant: "slow-start" },
    { version: "slow-stop", variant: "slow-stop" },
  ],
});

/** Rolls to a version; kills the first agent whose host is seen in the phase. */
async function rollAndKill(version: string, phase: HostPhase): Promise<RolloutDocument> {
  const { api } = fleet();
  const { id } = await fleet().roll({ version, strategy: { kind: "rolling" } });
  const inPhase = ({ hosts }: RolloutDocument) => hosts.find((host) => host.phase === phase);
  const seen = await reached(
    api,
    id,
    `a host ${phase}`,
    (document) => inPhase(document) !== undefined,
    30_000,
  );
  const victim = fleet().host(inPhase(seen)?.hostId ?? "");
  await victim.kill();
  victim.start();
  const ended = await finished(api, id, "succeeded", ROLLOUT_DEADLINE_MS);
  expect(await servingVersions(fleet())).toEqual([version, version, version]);
  return ended;
}

test("staging", async () => {
  await fleet().register({ version: "large", variant: "sound" }, randomBytes(LARGE_BYTES));
  await expectNothingLost(fleet(), VERSIONS, () => rollAndKill("large", "staging"));
});

test("draining, while requests are in flight", async () => {
  const { url } = fleet().edge().front;
  await expectNothingLost(fleet(), VERSIONS, async () => {
    const slow = Array.from({ length: 12 }, () => call({ method: "GET", url: `${url}/slow?ms=2000` }));
    await rollAndKill("v2", "draining");
    for (const { status } of await Promise.all(slow)) expect(status).toBe(200);
  });
});

test("verifying", async () => {
  await expectNothingLost(fleet(), VERSIONS, () => rollAndKill("slow-start", "verifying"));
});

test("updating", async () => {
  await expectNothingLost(fleet(), VERSIONS, async () => {
    const { id } = await fleet().roll({ version: "slow-stop", strategy: { kind: "rolling" } });
    await finished(fleet().api, id, "succeeded", ROLLOUT_DEADLINE_MS);
    // What is stopped now takes two seconds to end.
    await rollAndKill("v1", "updating");
  });
});
