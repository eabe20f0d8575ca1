import type { EdgeDocument } from "@siding/shared/rest";
import { expect, onTestFinished, test } from "vitest";
import { finished } from "../fleet/rollouts.ts";
import { isAlive, processesHolding } from "../processes/holders.ts";
import { until } from "../until.ts";
import { expectNothingLost, ROLLOUT_DEADLINE_MS, servingVersions, useFleet } from "./scene.ts";

// Hosts that die, hang and come back outside any rollout: each edge leaves them out by itself.

const fleet = useFleet({
  hosts: 4,
  edges: 2,
  releases: [
    { version: "v1", variant: "sound" },
    { version: "v2", variant: "sound" },
  ],
});

const EJECTED_DEADLINE_MS = 30_000;

async function ejectedBy(): Promise<readonly (readonly string[])[]> {
  const edges = await fleet().api.edges();
  return edges.map(({ upstreams }) =>
    upstreams.flatMap(({ ejected }) => ejected.map((each) => each.instance)),
  );
}

const areEjected = (instances: readonly string[]) => async () =>
  (await ejectedBy()).every((ejected) => ejected.join() === instances.join());

async function upstreamOf(edge: number): Promise<EdgeDocument["upstreams"][number]> {
  const upstream = (await fleet().api.edges())[edge]?.upstreams[0];
  if (upstream === undefined) throw new Error(`edge ${edge} has no upstream`);
  return upstream;
}

/** The service's process of a host, stopped where it stands: connections are taken and never answered. */
function hang(hostId: string): () => void {
  const service = processesHolding(fleet().host(hostId).releasesDir).find(({ command }) =>
    command.includes("server.mjs"),
  );
  if (service === undefined) throw new Error(`no service runs on ${hostId}`);
  process.kill(service.pid, "SIGSTOP");
  const wake = () => void (isAlive(service.pid) && process.kill(service.pid, "SIGCONT"));
  onTestFinished(wake);
  return wake;
}

test("a host that hangs is left out by every edge, serves nobody meanwhile, and comes back", async () => {
  const before = await upstreamOf(0);
  const wake = hang("h2");
  await until("h2 to be ejected", areEjected(["h2/blue"]), EJECTED_DEADLINE_MS);
  const during = await upstreamOf(0);
  expect(during).toMatchObject({ wanted: before.wanted, serving: before.wanted, reloads: before.reloads });
  expect(during.members).toHaveLength(4);
  expect(during.ejected).toEqual([{ instance: "h2/blue", detail: "timeout" }]);
  expect(during.ejections).toBe(before.ejections + 1);
  await expectNothingLost(fleet(), ["v1"], () => Promise.resolve());

  wake();
  await until("h2 to be back", areEjected([]), EJECTED_DEADLINE_MS);
});

test("with the control plane away an edge ejects all the same", async () => {
  await fleet().controlPlane.kill();
  const wake = hang("h3");
  const { url } = fleet().edge().front;
  await until(
    "twenty answers in a row, none from the host that hangs",
    async () => {
      for (let count = 0; count < 20; count += 1) {
        const answered = await fetch(url, { signal: AbortSignal.timeout(1_000) }).catch(() => null);
        if (answered === null) return false;
      }
      return true;
    },
    EJECTED_DEADLINE_MS,
  );
  await expectNothingLost(fleet(), ["v1"], () => Promise.resolve());
  await fleet().controlPlane.start();
  await until("the edges to tell", areEjected(["h3/blue"]), EJECTED_DEADLINE_MS);
  wake();
  await until("h3 to be back", areEjected([]), EJECTED_DEADLINE_MS);
});

test("more than half at once: nobody is ejected, and the edge says why", async () => {
  const wakes = ["h1", "h2", "h3"].map(hang);
  await until(
    "both edges to panic",
    async () =>
      (await fleet().api.edges()).every(({ upstreams }) => /[34] of 4/.test(upstreams[0]?.panic ?? "")),
    EJECTED_DEADLINE_MS,
  );
  await until("nobody to be ejected", areEjected([]), EJECTED_DEADLINE_MS);
  for (const wake of wakes) wake();
  await until(
    "the panic's end",
    async () => (await fleet().api.edges()).every(({ upstreams }) => upstreams[0]?.panic === null),
    EJECTED_DEADLINE_MS,
  );
  await until("everybody to be back", areEjected([]), EJECTED_DEADLINE_MS);
  expect((await upstreamOf(0)).panic).toBeNull();
});

test("an ejected host is not counted: it goes first, and with it no more than capacity allows", async () => {
  const wake = hang("h4");
  await until("h4 to be ejected", areEjected(["h4/blue"]), EJECTED_DEADLINE_MS);
  await expectNothingLost(fleet(), ["v1", "v2"], async () => {
    const { id } = await fleet().roll({ version: "v2", strategy: { kind: "rolling", batchSize: 3 } });
    const batches: (readonly string[])[] = [];
    await until(
      "the first batch",
      async () => {
        const { hosts } = await fleet().api.readRollout(id);
        const moving = hosts.filter(
          ({ phase }) => phase !== "pending" && phase !== "staged" && phase !== "staging",
        );
        if (moving.length === 0) return false;
        batches.push(moving.map(({ hostId }) => hostId));
        return true;
      },
      ROLLOUT_DEADLINE_MS,
    );
    // Of the three that serve only one may leave; the one that hangs costs nothing.
    expect(batches[0]?.toSorted()).toEqual(["h1", "h4"]);
    wake();
    await finished(fleet().api, id, "succeeded", ROLLOUT_DEADLINE_MS);
  });
  expect(await servingVersions(fleet())).toEqual(["v2", "v2", "v2", "v2"]);
});
