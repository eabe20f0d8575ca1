import { beforeAll, describe, expect, test } from "vitest";
import type { Target } from "../clients/connection.ts";
import { askOnce, TcpConnection, TcpTraffic } from "../clients/tcp.ts";
import { finished, reached } from "../fleet/rollouts.ts";
import { serviceSpec } from "../fleet/service-spec.ts";
import { startTcpFront, streamModule } from "../fleet/tcp-front.ts";
import { freePort } from "../processes/free-port.ts";
import { packRelease } from "../service/releases.ts";
import { ROLLOUT_DEADLINE_MS, useFleet } from "./scene.ts";

const why = streamModule() === null ? "nginx has no stream module here" : null;

describe.skipIf(why !== null)(`a TCP service${why === null ? "" : ` (skipped: ${why})`}`, () => {
  const fleet = useFleet({ hosts: 3, edges: 1, releases: [] });
  let front: Target;

  beforeAll(async () => {
    const { api, yard, hosts } = fleet();
    const addresses = hosts.map(({ address }) => address);
    const ports = { blue: await freePort(addresses), green: await freePort(addresses) };
    await api.declare(
      "lines",
      serviceSpec(ports, {
        name: "lines",
        health: { tcp: true, interval: "50ms", timeout: "1s", rise: 2, grace: "5s" },
        drain: { deadline: "2s" },
        edge: { match: { role: "edge" }, protocol: "tcp", upstream: "lines" },
      }),
    );
    for (const version of ["v1", "v2"]) {
      const { digest } = await api.upload(packRelease({ version, variant: "tcp" }));
      await api.release("lines", version, digest);
    }
    const { includeDir } = fleet().edge().agent;
    front = await startTcpFront(yard, { includeDir, upstream: "lines" });
  });

  async function roll(version: string) {
    return fleet().api.rollout("lines", { version, strategy: { kind: "rolling" } });
  }

  test("is closed in order while nobody is listed, and serves once it is deployed", async () => {
    expect(await askOnce(front)).toBeNull();
    const { id } = await roll("v1");
    await finished(fleet().api, id, "succeeded", ROLLOUT_DEADLINE_MS);
    expect(await askOnce(front)).toBe("v1");
  });

  test("rolls without a new connection lost; a long one lives until its host's drain deadline", async () => {
    const traffic = new TcpTraffic(front, 4);
    await traffic.more(100);
    const long = await TcpConnection.open(front);
    expect(await long.ask("first")).toBe("v1");
    const { id } = await roll("v2");
    // Some host drains for longer than any other answer takes: the one that the long connection is on.
    await reached(
      fleet().api,
      id,
      "a host that waits for a connection",
      ({ waiting }) => waiting.some(({ message }) => /1 connection/.test(message)),
      ROLLOUT_DEADLINE_MS,
    );
    expect(await long.ask("draining")).toBe("v1");
    await finished(fleet().api, id, "succeeded", ROLLOUT_DEADLINE_MS);
    expect(await long.ask("after")).toBeNull();
    await traffic.more(100);
    const answers = await traffic.stop();
    expect([...answers.keys()].toSorted()).toEqual(["v1", "v2"]);
    expect(await askOnce(front)).toBe("v2");
  });

  test("its upstream can't become one of HTTP, nor be balanced by what TCP does not have", async () => {
    const { api } = fleet();
    const declare = (edge: object) => {
      const ports = { blue: 1, green: 2 };
      const match = { role: "edge" };
      return api.declare("lines", { ...serviceSpec(ports), name: "lines", edge: { match, ...edge } });
    };
    await expect(declare({ upstream: "lines" })).rejects.toThrow("its protocol can't be changed");
    await expect(declare({ upstream: "lines", protocol: "tcp", balance: "ip-hash" })).rejects.toThrow(
      "edge.balance: ip-hash is for HTTP",
    );
  });
});
