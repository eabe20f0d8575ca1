import type { RolloutId } from "@siding/shared/ids";
import { type HostPhase, isFinished } from "@siding/shared/phases";
import type { RolloutDocument } from "@siding/shared/rest";
import { describe, expect, test } from "vitest";
import { finished, reached } from "../fleet/rollouts.ts";
import { until } from "../until.ts";
import type { LabHost } from "./host.ts";
import type { Direction } from "./network.ts";
import { whyNoLab } from "./requirements.ts";
import { nothingLost, useLab } from "./scene.ts";

const why = whyNoLab();
const PATIENCE_MS = 150_000;
const BOTH = ["v1", "v2"];

describe.skipIf(why !== null)(`hosts that fail${why === null ? "" : ` (skipped: ${why})`}`, () => {
  const lab = useLab({
    hosts: 4,
    edges: 2,
    releases: [
      { version: "v1", variant: "sound" },
      { version: "v2", variant: "sound" },
    ],
  });

  let serving = "v1";
  /** The other version, which the next rollout goes to. */
  const next = () => (serving === "v1" ? "v2" : "v1");

  /** Once all is well again nothing stands in the way: what is left over is brought to its end, and rolled out. */
  async function expectHealed(id: RolloutId): Promise<RolloutDocument> {
    await lab().allAlive();
    const resume = async () => {
      const now = await lab().api.readRollout(id);
      if (now.status === "paused")
        await lab()
          .api.control(id, "resume")
          .catch(() => {});
      return isFinished(now.status) ? now : null;
    };
    const ended = await until(`the end of rollout ${id}`, resume, PATIENCE_MS);
    if (ended.status === "succeeded") serving = ended.to.version;
    const again = await lab().roll({ version: next(), strategy: { kind: "rolling", batchSize: 2 } });
    await finished(lab().api, again.id, "succeeded", PATIENCE_MS);
    serving = next();
    for (const host of lab().hosts) expect(await lab().answering(host)).toBe(serving);
    return ended;
  }

  test.each<HostPhase>(["staging", "draining", "updating", "verifying", "joining"])(
    "a host's power fails while it is %s: the rollout goes on with it, or says what it waits for",
    async (phase) => {
      const { id } = await lab().roll({ version: next(), strategy: { kind: "rolling" } });
      const inPhase = (document: RolloutDocument) => document.hosts.find((each) => each.phase === phase);
      const seen = await reached(
        lab().api,
        id,
        phase,
        (document) => inPhase(document) !== undefined,
        PATIENCE_MS,
      );
      const hostId = inPhase(seen)?.hostId ?? "";
      await lab().machine(hostId).cutPower();
      const stands = await lab().api.readRollout(id);
      expect(isFinished(stands.status) || stands.waiting.length > 0 || stands.status === "running").toBe(
        true,
      );
      await lab().machine(hostId).boot();
      const ended = await expectHealed(id);
      expect(["succeeded", "rolled-back", "failed"]).toContain(ended.status);
    },
  );

  test("every machine is rebooted in turn; requests through an edge that stays are all answered", async () => {
    const [first, second] = lab().edges as [LabHost, LabHost];
    for (const [down, stays] of [
      [first, second],
      [second, first],
    ] as const) {
      await nothingLost(lab(), [stays], BOTH, () => reboot(down));
      await until(
        `${down.name} to serve again`,
        () => fetch(`http://${down.address}:8000/`).then(({ ok }) => ok),
        PATIENCE_MS,
      );
    }
    await nothingLost(lab(), lab().edges, BOTH, () => reboot(lab().controlPlane));
    for (const host of lab().hosts) {
      await reboot(host);
      await until(
        `${host.name} to run its service`,
        async () => (await lab().answering(host)) === serving,
        PATIENCE_MS,
      );
    }
    const { id } = await lab().roll({ version: next(), strategy: { kind: "rolling", batchSize: 2 } });
    await finished(lab().api, id, "succeeded", PATIENCE_MS);
    serving = next();
  });

  async function reboot(machine: LabHost): Promise<void> {
    await machine.shutDown();
    await machine.boot();
  }

  const pairs = [
    ["cp", "h1"],
    ["cp", "e1"],
    ["e1", "h1"],
  ] as const;
  const cuts = pairs.flatMap(
    ([one, other]) =>
      [
        [`from ${one} to ${other}`, [{ from: one, to: other }]],
        [`from ${other} to ${one}`, [{ from: other, to: one }]],
        [
          `between ${one} and ${other}`,
          [
            { from: one, to: other },
            { from: other, to: one },
          ],
        ],
      ] as [string, Direction[]][],
  );

  test.each(cuts)(
    "the cable %s is cut during a rollout: it waits, says so, and goes on when it is healed",
    async (_, directions) => {
      const [, untouched] = lab().edges;
      await nothingLost(lab(), untouched === undefined ? [] : [untouched], BOTH, async () => {
        await lab().network.cut(directions);
        const { id } = await lab().roll({ version: next(), strategy: { kind: "rolling" } });
        const stands = await reached(
          lab().api,
          id,
          "word of what it waits for",
          ({ waiting, status }) => waiting.length > 0 || status === "paused" || isFinished(status),
          PATIENCE_MS,
        );
        await lab().network.cut([]);
        expect(stands.status).not.toBe("succeeded");
        await expectHealed(id);
      });
    },
  );
});
