import type { HostPhase } from "@siding/shared/phases";
import type { RolloutDocument } from "@siding/shared/rest";
import { expect, test } from "vitest";
import { finished, reached } from "../fleet/rollouts.ts";
import { expectNothingLost, ROLLOUT_DEADLINE_MS, servingVersions, useFleet } from "./scene.ts";

// The control plane is killed at six points of a rollout and started again: it goes on where it was.

const fleet = useFleet({
  hosts: 3,
  edges: 1,
  releases: [
    { version: "v1", variant: "sound" },
    { version: "v2", variant: "sound" },
  ],
});

const anyHostIn = (phase: HostPhase) => (document: RolloutDocument) =>
  document.hosts.some((host) => host.phase === phase);

const POINTS: readonly (readonly [string, (document: RolloutDocument) => boolean])[] = [
  ["as soon as it is accepted", () => true],
  ["while edges take a host out", anyHostIn("leaving")],
  ["while a host drains", anyHostIn("draining")],
  ["while a host is updated", anyHostIn("updating")],
  ["while a host is verified", anyHostIn("verifying")],
  ["while edges take a host in", anyHostIn("joining")],
];

test.each(POINTS)("%s", async (_, isThere) => {
  const version = (await servingVersions(fleet())).includes("v1") ? "v2" : "v1";
  await expectNothingLost(fleet(), ["v1", "v2"], async () => {
    const { id } = await fleet().roll({ version, strategy: { kind: "rolling" } });
    await reached(fleet().api, id, "the point", isThere, 30_000);
    await fleet().controlPlane.kill();
    await fleet().controlPlane.start();
    await finished(fleet().api, id, "succeeded", ROLLOUT_DEADLINE_MS);
  });
  expect(await servingVersions(fleet())).toEqual([version, version, version]);
});

test("stopped in order and started again, it has forgotten nothing", async () => {
  const before = await fleet().api.service("web");
  await fleet().controlPlane.stop();
  await fleet().controlPlane.start();
  expect(await fleet().api.service("web")).toEqual(before);
});
