import { readdirSync, readFileSync } from "node:fs";
import type { HostPhase } from "@siding/shared/phases";
import type { RolloutDocument } from "@siding/shared/rest";
import { beforeAll, expect, test } from "vitest";
import { Front } from "../fleet/front.ts";
import { finished, reached } from "../fleet/rollouts.ts";
import { SERVICE, serviceSpec } from "../fleet/service-spec.ts";
import { freePort } from "../processes/free-port.ts";
import { packRelease } from "../service/releases.ts";
import { until } from "../until.ts";
import { expectNothingLostAt, ROLLOUT_DEADLINE_MS, useFleet } from "./scene.ts";

// Two services side by side on every host, one asked for a connection and one by a command. What is done to one must
// not concern the other.

const OTHER = "api";
const BOTH = ["v1", "v2"];

/** Says what it saw, and exits with 4 where that is no good answer. A shell alone: it is run often. */
const LOOK =
  "exec 3<>/dev/tcp/$ADDRESS/$PORT || exit 5; printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3; " +
  'read -r _ status _ <&3; echo "healthz says $status"; [ "$status" = 200 ] || exit 4';

const fleet = useFleet({
  hosts: 3,
  edges: 1,
  spec: { health: { tcp: true, interval: "50ms", timeout: "1s", rise: 2, grace: "10s" } },
  releases: [
    { version: "v1", variant: "sound" },
    { version: "v2", variant: "slow-stop" },
  ],
});

let otherFront: Front;

beforeAll(async () => {
  const { api, yard, hosts } = fleet();
  const addresses = hosts.map(({ address }) => address);
  const ports = { blue: await freePort(addresses), green: await freePort(addresses) };
  const health = { command: ["bash", "-c", LOOK], interval: "500ms", timeout: "5s", rise: 2, grace: "5s" };
  await api.declare(OTHER, {
    ...serviceSpec(ports, { health }),
    name: OTHER,
    edge: { match: { role: "edge" }, upstream: OTHER },
  });
  for (const [version, variant] of [
    ["v1", "sound"] as const,
    ["v2", "sound"] as const,
    ["bad", "broken"] as const,
  ]) {
    const { digest } = await api.upload(packRelease({ version, variant }));
    await api.release(OTHER, version, digest);
  }
  const { includeDir } = fleet().edge().agent;
  otherFront = await Front.start(yard, "front-other", { includeDir, upstream: OTHER, mode: "inner" });
  const first = await api.rollout(OTHER, { version: "v1", strategy: { kind: "rolling", batchSize: "100%" } });
  await finished(api, first.id, "succeeded", ROLLOUT_DEADLINE_MS);
});

/** Under strict traffic to both. */
function nothingLost<T>(action: () => Promise<T>): Promise<T> {
  const { yard } = fleet();
  const targets = [[SERVICE, fleet().edge().front.target] as const, [OTHER, otherFront.target] as const];
  return expectNothingLostAt(yard, targets, BOTH, action);
}

async function versionsOf(service: string): Promise<readonly (string | null)[]> {
  const hosts = await fleet().api.hosts();
  const instances = hosts.flatMap((host) => host.instances.filter(({ listed }) => listed));
  return instances.filter((instance) => instance.service === service).map(({ version }) => version);
}

const ends = (rollout: RolloutDocument, status: RolloutDocument["status"]) =>
  finished(fleet().api, rollout.id, status, ROLLOUT_DEADLINE_MS);

const started = (rollout: RolloutDocument) =>
  reached(fleet().api, rollout.id, "a host out", ({ batches }) => batches.length > 0, ROLLOUT_DEADLINE_MS);

/** The number of the start of a service on each host, as its process bears it. */
function startsOf(service: string): Readonly<Record<string, number>> {
  const starts: Record<string, number> = {};
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const environ = environOf(pid);
    const owner = fleet().hosts.find(({ folder }) => environ.includes(`SIDING_AGENT=${folder}/data`));
    const mark = environ.find((line) => line.startsWith(`SIDING_INSTANCE=${service}/blue/v`));
    if (owner && mark) starts[owner.hostId] = Number(mark.split("/").at(-1));
  }
  return starts;
}

function environOf(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  } catch {
    return [];
  }
}

test("a third one on a port of theirs is refused: both services and the hosts are named", async () => {
  const { api, ports, hosts } = fleet();
  const free = await freePort(hosts.map(({ address }) => address));
  const third = { ...serviceSpec({ blue: free, green: ports.blue }), name: "third" };
  const declared = api.declare("third", { ...third, edge: { match: { role: "edge" }, upstream: "third" } });
  await expect(declared).rejects.toMatchObject({ code: "port-conflict" });
  await expect(declared).rejects.toThrow(
    `port ${ports.blue} (green) is also port blue of service ${SERVICE} on h1, h2, h3`,
  );
});

test("both roll at once, each by itself: nothing lost, and one rollout at a time holds for each", async () => {
  const { api } = fleet();
  const [web, other] = await nothingLost(async () => {
    const rollouts = await Promise.all([
      api.rollout(SERVICE, { version: "v2", bakeTime: "200ms" }),
      api.rollout(OTHER, { version: "v2", bakeTime: "200ms" }),
    ]);
    await Promise.all(rollouts.map(started));
    for (const [index, service] of [SERVICE, OTHER].entries()) {
      const second = api.rollout(service, { version: "v1" });
      await expect(second).rejects.toMatchObject({ code: "rollout-in-progress" });
      await expect(second).rejects.toThrow(rollouts[index]?.id);
    }
    return Promise.all(rollouts.map((rollout) => ends(rollout, "succeeded")));
  });
  expect(
    web && other && web.createdAt < (other.finishedAt ?? "") && other.createdAt < (web.finishedAt ?? ""),
  ).toBe(true);
  expect([await versionsOf(SERVICE), await versionsOf(OTHER)]).toEqual([
    ["v2", "v2", "v2"],
    ["v2", "v2", "v2"],
  ]);
});

test("a restart on one host, whose agent is killed in the middle of it, restarts it once", async () => {
  const { api } = fleet();
  const [before, beside] = [startsOf(SERVICE), startsOf(OTHER)];
  const key = { "idempotency-key": "restart-h2" };
  const restart = { service: SERVICE, comment: "leaks" };
  const inPhase = (phase: HostPhase) => (rollout: RolloutDocument) =>
    rollout.hosts.some((host) => host.phase === phase);
  const ended = await nothingLost(async () => {
    const rollout = await api.restart("h2", restart, key);
    expect(rollout.purpose).toBe("restart");
    expect(rollout.explanation).toMatch(/^restart of web on h2/);
    await reached(api, rollout.id, "the restart", inPhase("updating"), ROLLOUT_DEADLINE_MS);
    await fleet().host("h2").kill();
    fleet().host("h2").start();
    expect((await api.restart("h2", restart, key)).id).toBe(rollout.id);
    return ends(rollout, "succeeded");
  });
  expect(ended.explanation).toBe("restart of web on h2 (v2), succeeded.");
  expect(startsOf(SERVICE)).toEqual({ ...before, h2: (before.h2 ?? 0) + 1 });
  expect(startsOf(OTHER)).toEqual(beside);
  expect(await versionsOf(SERVICE)).toEqual(["v2", "v2", "v2"]);
});

test("what fails or is aborted for one goes on undisturbed for the other", async () => {
  const { api } = fleet();
  const [web, bad] = await nothingLost(async () => {
    const rollouts = await Promise.all([
      api.rollout(SERVICE, { version: "v1" }),
      api.rollout(OTHER, { version: "bad" }),
    ]);
    const [rolling, failing] = rollouts;
    const failed = await ends(failing, "rolled-back");
    const aborted = await api.rollout(OTHER, { version: "v1", bakeTime: "1m" });
    await started(aborted);
    await api.control(aborted.id, "abort");
    await ends(aborted, "aborted");
    return [await ends(rolling, "succeeded"), failed] as const;
  });
  const trouble = bad.hosts.find(({ error }) => error !== undefined)?.error;
  expect(trouble?.message).toMatch(
    /^verifying failed: not healthy within 5s; the last run of 'bash -c .*': exit code 4$/s,
  );
  expect(trouble?.output).toBe("healthz says 500");
  expect(web.failures).toBe(0);
  expect(await versionsOf(SERVICE)).toEqual(["v1", "v1", "v1"]);
  expect(new Set(await versionsOf(OTHER))).not.toContain("bad");
  expect(await versionsOf(OTHER)).toHaveLength(3);
});

test("a removed host leaves the traffic of both, is shown no more, and can be taken back", async () => {
  const { api } = fleet();
  const tell = (method: "DELETE" | "POST", path: string) => api.raw({ method, path });
  await nothingLost(async () => {
    expect((await tell("DELETE", "/v1/hosts/h3")).status).toBe(200);
    const shown = async () => (await api.hosts()).map(({ id }) => String(id));
    await until("h3 to be gone", async () => !(await shown()).includes("h3"), ROLLOUT_DEADLINE_MS);
    const read = await api.raw({ method: "GET", path: "/v1/hosts/h3" });
    expect(read.status).toBe(404);
    expect(read.body.toString()).toContain("POST /v1/hosts/h3/rejoin takes it back");
    await tell("POST", "/v1/hosts/h3/rejoin");
    const listed = async () => (await versionsOf(SERVICE)).length + (await versionsOf(OTHER)).length;
    await until("h3 to serve both again", async () => (await listed()) === 6, ROLLOUT_DEADLINE_MS);
  });
});
