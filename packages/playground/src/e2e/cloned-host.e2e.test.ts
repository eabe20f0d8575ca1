import type { HostDocument } from "@siding/shared/rest";
import { expect, test } from "vitest";
import { finished, reached } from "../fleet/rollouts.ts";
import { until } from "../until.ts";
import { expectNothingLost, ROLLOUT_DEADLINE_MS, servingVersions, useFleet } from "./scene.ts";

const fleet = useFleet({
  hosts: 3,
  edges: 1,
  // Three returns of the one after the other show that both live.
  beatInterval: "1s",
  releases: [
    { version: "v1", variant: "sound" },
    { version: "v2", variant: "sound" },
  ],
});

const KNOWN_DEADLINE_MS = 30_000;

const untilHost = async (what: string, isThere: (host: HostDocument) => boolean) => {
  await until(
    `h1 ${what}`,
    async () => (await fleet().api.hosts()).some((host) => host.id === "h1" && isThere(host)),
    KNOWN_DEADLINE_MS,
  );
};

test("a cloned host is named, with where both are; a rollout touches nobody, and goes on when the clone is stopped", async () => {
  const clone = fleet().host("h1").clone("127.0.3.1");
  await expectNothingLost(fleet(), ["v1", "v2"], async () => {
    clone.start();
    await untilHost("is said to be cloned", ({ conflict }) => conflict !== null);
    expect((await fleet().api.fleet()).summary.conflicts).toBe(1);

    const { id } = await fleet().roll({ version: "v2", strategy: { kind: "rolling" } });
    const waits = await reached(
      fleet().api,
      id,
      "waiting for the clone",
      ({ waiting }) => waiting.some(({ code, hostId }) => code === "identity-conflict" && hostId === "h1"),
      ROLLOUT_DEADLINE_MS,
    );
    expect(waits.explanation).toContain("two agents beat as h1, from 127.0.1.1 and 127.0.3.1");
    expect(waits.hosts.find(({ hostId }) => hostId === "h1")?.phase).toBe("pending");
    expect(await servingVersions(fleet())).toEqual(["v1", "v1", "v1"]);

    await clone.stop();
    await untilHost("is one again", ({ conflict }) => conflict === null);
    await finished(fleet().api, id, "succeeded", ROLLOUT_DEADLINE_MS);
  });
  expect(await servingVersions(fleet())).toEqual(["v2", "v2", "v2"]);
});
