import { randomBytes } from "node:crypto";
import type { RolloutId } from "@siding/shared/ids";
import { type HostPhase, isFinished } from "@siding/shared/phases";
import type { RolloutDocument } from "@siding/shared/rest";
import { describe, expect, test } from "vitest";
import { finished, reached } from "../fleet/rollouts.ts";
import { until } from "../until.ts";
import type { LabHost } from "./host.ts";
import { whyNoLab } from "./requirements.ts";
import { expectNothingLost, useLab } from "./scene.ts";

const why = whyNoLab();
const PATIENCE_MS = 120_000;
/** Six kills, each waited for. */
const TEST_DEADLINE_MS = 300_000;
const BOTH = ["v1", "v2"];
/** Takes a moment to fetch and unpack. */
const LARGE_BYTES = 20_000_000;
const PHASES: readonly HostPhase[] = ["staging", "leaving", "draining", "updating", "verifying", "joining"];

describe.skipIf(why !== null)(`programs that are killed${why === null ? "" : ` (skipped: ${why})`}`, () => {
  const lab = useLab({
    hosts: 4,
    edges: 2,
    releases: [
      { version: "v1", variant: "sound" },
      { version: "v2", variant: "sound" },
    ],
  });

  test("rolling over two edges loses nothing, and services are units that no boot starts", async () => {
    await expectNothingLost(lab(), lab().edges, BOTH, async () => {
      const { id } = await roll();
      await finished(lab().api, id, "succeeded", PATIENCE_MS);
    });
    for (const host of lab().hosts) {
      expect(await lab().answering(host)).toBe("v2");
      const state = await host.sh(
        "systemctl is-active siding-web@blue; systemctl is-enabled siding-web@blue || true",
      );
      expect(state.trim().split("\n")).toEqual(["active", "static"]);
    }
  });

  test("in-place over two edges loses nothing", async () => {
    const { reloads } = await expectNothingLost(lab(), lab().edges, BOTH, async () => {
      const { id } = await lab().roll({ version: await otherVersion(), strategy: { kind: "in-place" } });
      return finished(lab().api, id, "succeeded", PATIENCE_MS);
    });
    expect(Object.keys(reloads).toSorted()).toEqual(["e1", "e2"]);
  });

  const versions = [...BOTH];

  /** What no host has staged yet, and takes a moment to stage. */
  async function freshRelease(version: string): Promise<string> {
    versions.push(version);
    await lab().register({ version, variant: "sound" }, randomBytes(LARGE_BYTES));
    return version;
  }

  async function otherVersion(): Promise<string> {
    const [host] = lab().hosts;
    return host && (await lab().answering(host)) === "v1" ? "v2" : "v1";
  }

  /** One by one. */
  async function roll(version?: string): Promise<RolloutDocument> {
    return lab().roll({ version: version ?? (await otherVersion()), strategy: { kind: "rolling" } });
  }

  /** Rolls out until a host was seen in the phase; a phase lasts a moment, but each host has it, and each rollout. */
  async function seen(phase: HostPhase, rollout: { id: RolloutId }): Promise<void> {
    const isThere = async () => {
      const { hosts, status } = await lab().api.readRollout(rollout.id);
      if (hosts.some((host) => host.phase === phase)) return true;
      if (!isFinished(status)) return false;
      expect(status).toBe("succeeded");
      rollout.id = (await roll()).id;
      return false;
    };
    await until(`a host ${phase}`, isThere, PATIENCE_MS);
  }

  const main = (unit: string) => ({
    pid: `systemctl show --property=MainPID --value ${unit}`,
    kill: `systemctl kill --kill-whom=main --signal=KILL ${unit}`,
  });
  const victims: readonly [string, () => LabHost, { readonly pid: string; readonly kill: string }][] = [
    ["NATS", () => lab().controlPlane, { pid: "pgrep -x nats-server", kill: "pkill -KILL -x nats-server" }],
    ["the control plane", () => lab().controlPlane, main("siding-control-plane")],
    ["an edge's agent", () => lab().machine("e1"), main("siding-edge")],
  ];

  test.each(victims)(
    "%s, killed in each phase, is back by itself; every rollout succeeds, and no request is lost",
    async (victim, machine, { pid, kill }) => {
      const pidOf = async () => Number(await machine().sh(pid));
      const fresh = await freshRelease(`for-${victim.replaceAll(/\W/g, "-")}`);
      await expectNothingLost(lab(), lab().edges, versions, async () => {
        const rollout = { id: (await roll(fresh)).id };
        for (const phase of PHASES) {
          await seen(phase, rollout);
          const before = await pidOf();
          await machine().sh(kill);
          await until("another process", async () => ![0, before].includes(await pidOf()), PATIENCE_MS);
        }
        await finished(lab().api, rollout.id, "succeeded", PATIENCE_MS);
      });
    },
    TEST_DEADLINE_MS,
  );

  test("a host is removed while it is in the batch: refused by name; afterwards it is drained first", async () => {
    const remove = () => lab().api.raw({ method: "DELETE", path: "/v1/hosts/h1" });
    await expectNothingLost(lab(), lab().edges, versions, async () => {
      const { id } = await roll();
      const isUpdating = ({ hosts }: RolloutDocument) =>
        hosts.some(({ hostId, phase }) => hostId === "h1" && phase === "updating");
      await reached(lab().api, id, "h1 in its batch", isUpdating, PATIENCE_MS);
      const refused = await remove();
      expect([refused.status, refused.body.toString()]).toEqual([
        409,
        expect.stringMatching(/rollout r-\w+ of web has h1 in its plan; wait for it, or abort it/),
      ]);
      await finished(lab().api, id, "succeeded", PATIENCE_MS);
      expect((await remove()).status).toBeLessThan(300);
      const isGone = async () => (await lab().api.hosts()).every((host) => host.id !== "h1");
      await until("h1 to be gone", isGone, PATIENCE_MS);
      const { id: next } = await roll();
      const { plan } = await finished(lab().api, next, "succeeded", PATIENCE_MS);
      expect(plan.batches.flat()).toEqual(["h2", "h3", "h4"]);
    });
  });
});
