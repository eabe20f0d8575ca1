import { mkdirSync, readFileSync } from "node:fs";
import type { RolloutDocument } from "@siding/shared/rest";
import { expect, type TestContext, test } from "vitest";
import type { Agent } from "../fleet/agent.ts";
import { finished, reached } from "../fleet/rollouts.ts";
import { SmallDisk } from "../processes/small-disk.ts";
import { until } from "../until.ts";
import { expectNothingLost, expectRolled, ROLLOUT_DEADLINE_MS, servingVersions, useFleet } from "./scene.ts";

// Disks that are full or read-only, for real: each is named with its host and folder, nothing is lost, and everything
// goes on once there is room again.

const fleet = useFleet({
  hosts: 2,
  edges: 1,
  releases: [
    { version: "v1", variant: "sound" },
    { version: "v2", variant: "sound" },
    { version: "v3", variant: "sound" },
  ],
});
const VERSIONS = ["v1", "v2", "v3"];

/** Runs the rest of a test with a small disk under a folder of an agent that is stopped meanwhile, and put back. */
async function withSmallDisk(
  { skip }: TestContext,
  host: Agent,
  folder: string,
  use: (disk: SmallDisk) => Promise<void>,
): Promise<void> {
  // An inner nginx that ran on would work where nobody finds it any more.
  const stop = () => (fleet().edge().agent === host ? host.teardown() : host.stop());
  await stop();
  const disk = SmallDisk.over(fleet().yard, folder, 8);
  await startAndHear(host);
  if (disk === null) return skip();
  try {
    await use(disk);
  } finally {
    disk.clear();
    await stop();
    disk.remove();
    await startAndHear(host);
  }
}

/** Its log goes on where the last start's ended. A cold edge serves nobody before it has heard what is current. */
async function startAndHear(host: Agent): Promise<void> {
  const connections = () => logOf(`agent-${host.hostId}`).split('"event":"connected"').length;
  const before = connections();
  host.start();
  await until(`${host.hostId} to connect`, () => connections() > before, ROLLOUT_DEADLINE_MS);
  const { agent, front } = fleet().edge();
  if (host !== agent) return;
  const serves = async () => (await fetch(front.url).catch(() => null))?.ok;
  await until(`${host.hostId} to serve`, serves, ROLLOUT_DEADLINE_MS);
}

function logOf(program: string): string {
  return readFileSync(fleet().yard.path("logs", `${program}.log`), "utf8");
}

const hasEnded = ({ finishedAt }: RolloutDocument) => finishedAt !== undefined;

/** Rolls to a version that does not come to serve anywhere for good; gives what is said of a host. */
async function errorOf(hostId: string, version: string): Promise<{ code?: string; message?: string }> {
  const ended = await expectNothingLost(fleet(), VERSIONS, async () => {
    const { id } = await fleet().roll({ version });
    return reached(fleet().api, id, "its end", hasEnded, ROLLOUT_DEADLINE_MS);
  });
  expect(ended.status).not.toBe("succeeded");
  expect(ended.cause?.message).toContain(hostId);
  return ended.hosts.find((host) => host.hostId === hostId)?.error ?? {};
}

test("no room for a release: the host and the folder are named, and the next rollout goes on", async (context) => {
  const host = fleet().host("h2");
  await withSmallDisk(context, host, host.releasesDir, async (disk) => {
    disk.fill();
    const error = await errorOf("h2", "v2");
    expect(error.code).toBe("disk-full");
    expect(error.message).toContain(`no space left in ${host.releasesDir}/web/releases: make room there`);
    expect(await servingVersions(fleet())).toEqual(["v1", "v1"]);
    disk.clear();
    await expectRolled(fleet(), VERSIONS, { version: "v2" });
  });
});

test("a release folder that is read-only: named while staging, and where a slot is switched", async (context) => {
  const host = fleet().host("h2");
  await withSmallDisk(context, host, host.releasesDir, async (disk) => {
    mkdirSync(`${host.releasesDir}/web/releases/.draft-left-by-a-crash`);
    disk.readOnly();
    const staging = await errorOf("h2", "v3");
    expect(staging.code).toBe("folder-read-only");
    expect(staging.message).toContain(`mounted read-only: ${host.releasesDir}/web/releases`);
    // It is there already, so that only the link has to change; and an agent that starts anew is not held up.
    await host.kill();
    await startAndHear(host);
    const switching = await errorOf("h2", "v1");
    expect(switching.code).toBe("folder-read-only");
    expect(switching.message).toContain(`mounted read-only: ${host.releasesDir}/web`);
    expect(await servingVersions(fleet())).toEqual(["v2", "v2"]);
    disk.writable();
    await expectRolled(fleet(), VERSIONS, { version: "v1" });
  });
});

/** The release that the fleet does not serve. */
async function other(): Promise<string> {
  return (await servingVersions(fleet())).includes("v1") ? "v2" : "v1";
}

test("a full disk under an agent's journal is no hindrance: it has its place there", async (context) => {
  const host = fleet().host("h1");
  await withSmallDisk(context, host, host.dataDir, async (disk) => {
    disk.fill();
    await expectRolled(fleet(), VERSIONS, { version: await other() });
    await host.kill();
    await startAndHear(host);
    await expectRolled(fleet(), VERSIONS, { version: await other() });
  });
});

test("a journal that can't be written: the agent promises nothing, says why, and goes on", async (context) => {
  const host = fleet().host("h1");
  await withSmallDisk(context, host, host.dataDir, async (disk) => {
    disk.readOnly();
    await expectNothingLost(fleet(), VERSIONS, async () => {
      const { id } = await fleet().roll({ version: await other() });
      const path = `${host.dataDir}/journal.json: EROFS`;
      const isTold = ({ waiting }: RolloutDocument) =>
        waiting.some(({ hostId, message }) => hostId === "h1" && message.includes(path));
      const waits = await reached(fleet().api, id, "the host's own words", isTold, ROLLOUT_DEADLINE_MS);
      expect(hasEnded(waits)).toBe(false);
      const hosts = await fleet().api.hosts();
      expect(hosts.find((each) => each.id === "h1")?.trouble).toContain(path);
      expect(logOf("agent-h1")).toContain(`"hostId":"h1","event":"journal-not-written","why":"${path}`);
      disk.writable();
      await finished(fleet().api, id, "succeeded", ROLLOUT_DEADLINE_MS);
    });
  });
});

test("no room on an edge for what it remembers is no hindrance: that has its place there", async (context) => {
  const edge = fleet().edge().agent;
  await withSmallDisk(context, edge, edge.dataDir, async (disk) => {
    disk.fill();
    await expectRolled(fleet(), VERSIONS, { version: await other() });
  });
});

test("no room on an edge for the list that nginx reads: it serves on, says why, and goes on by itself", async (context) => {
  const edge = fleet().edge().agent;
  const folder = edge.runDir;
  await withSmallDisk(context, edge, folder, async (disk) => {
    const from = (await servingVersions(fleet()))[0] ?? "";
    await expectNothingLost(fleet(), VERSIONS, async () => {
      disk.fill();
      const { id } = await fleet().roll({ version: from === "v1" ? "v2" : "v1" });
      const words = new RegExp(`e1.*no space left in ${folder}/inner-\\d+/upstreams: make room there`, "s");
      const isTold = ({ waiting }: RolloutDocument) => waiting.some(({ message }) => words.test(message));
      const waits = await reached(fleet().api, id, "the edge's own words", isTold, ROLLOUT_DEADLINE_MS);
      expect(hasEnded(waits)).toBe(false);
      expect(new Set(await servingVersions(fleet()))).toEqual(new Set([from]));
      disk.clear();
      await finished(fleet().api, id, "succeeded", ROLLOUT_DEADLINE_MS);
    });
  });
});

test("no room for the ledger in the middle of a rollout: it says so, and goes on where it was", async ({
  skip,
}) => {
  const { controlPlane, yard } = fleet();
  await controlPlane.stop();
  const disk = SmallDisk.over(yard, controlPlane.dataDir, 16);
  await controlPlane.start();
  if (disk === null) return skip();
  await expectNothingLost(fleet(), VERSIONS, async () => {
    const { id } = await fleet().roll({ version: "v3" });
    const hasBegun = ({ hosts }: RolloutDocument) => hosts.some(({ phase }) => phase === "leaving");
    await reached(fleet().api, id, "a host to leave", hasBegun, ROLLOUT_DEADLINE_MS);
    disk.fill();
    const refusal = await until("the control plane to say so", notReady, ROLLOUT_DEADLINE_MS);
    expect(refusal).toContain(`the ledger ${controlPlane.dataDir}/ledger.db could not be written`);
    disk.clear();
    await finished(fleet().api, id, "succeeded", ROLLOUT_DEADLINE_MS);
  });
  await controlPlane.stop();
  disk.remove();
  await controlPlane.start();
  expect(await servingVersions(fleet())).toEqual(["v3", "v3"]);
});

/** What `/readyz` says as long as all is not well. */
async function notReady(): Promise<string | null> {
  const { status, body } = await fleet().api.raw({ method: "GET", path: "/readyz" });
  return status === 503 ? body.toString() : null;
}
