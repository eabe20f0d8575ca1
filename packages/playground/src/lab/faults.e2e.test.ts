import type { RolloutId } from "@siding/shared/ids";
import { type HostPhase, isFinished } from "@siding/shared/phases";
import type { RolloutDocument } from "@siding/shared/rest";
import { describe, expect, test } from "vitest";
import { finished, reached } from "../fleet/rollouts.ts";
import { until } from "../until.ts";
import type { LabHost } from "./host.ts";
import type { Direction } from "./network.ts";
import { whyNoLab } from "./requirements.ts";
import { expectNothingLost, useLab } from "./scene.ts";

const why = whyNoLab();
const PATIENCE_MS = 150_000;
const ALL = ["v1", "v2", "slow-stop", "slow-start"];

describe.skipIf(why !== null)(`hosts that fail${why === null ? "" : ` (skipped: ${why})`}`, () => {
  const lab = useLab({
    hosts: 4,
    edges: 2,
    releases: [
      { version: "v1", variant: "sound" },
      { version: "v2", variant: "sound" },
      { version: "slow-stop", variant: "slow-stop" },
      { version: "slow-start", variant: "slow-start" },
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
    await settle(next());
    for (const host of lab().hosts) expect(await lab().answering(host)).toBe(serving);
    return ended;
  }

  /** Brings everything to a version, two at a time. */
  async function settle(version: string): Promise<void> {
    const { id } = await lab().roll({ version, strategy: { kind: "rolling", batchSize: 2 } });
    await finished(lab().api, id, "succeeded", PATIENCE_MS);
    serving = version;
  }

  /** Rolls out, cuts the power of the first host seen in the phase, boots it again, and expects all to be well. */
  async function expectGoesOnAfterPowerCut(
    phase: HostPhase,
    version: string,
    meanwhile: () => Promise<void> = async () => {},
  ): Promise<void> {
    const { id } = await lab().roll({ version, strategy: { kind: "rolling" } });
    const inPhase = ({ hosts }: RolloutDocument) => hosts.find((each) => each.phase === phase);
    const isThere = (document: RolloutDocument) => inPhase(document) !== undefined;
    const seen = await reached(lab().api, id, phase, isThere, PATIENCE_MS);
    const machine = lab().machine(inPhase(seen)?.hostId ?? "");
    await machine.cutPower();
    await meanwhile();
    const { status, explanation } = await lab().api.readRollout(id);
    expect(status, explanation).not.toBe("succeeded");
    await machine.boot();
    await expectHealed(id);
  }

  test.each<HostPhase>(["staging", "draining", "joining"])(
    "a host's power fails while it is %s: the rollout goes on, or says what it waits for",
    (phase) => expectGoesOnAfterPowerCut(phase, next()),
  );

  test("a host's power fails while it is leaving: the rollout goes on, or says what it waits for", async () => {
    // An edge that hears nothing makes the moment last.
    await lab().network.cut([{ from: "cp", to: "e2" }]);
    await expectGoesOnAfterPowerCut("leaving", next(), () => lab().network.cut([]));
  });

  test("a host's power fails while its old release is being stopped: no request is lost", async () => {
    await settle("slow-stop");
    await expectNothingLost(lab(), lab().edges, ALL, () => expectGoesOnAfterPowerCut("updating", next()));
  });

  test("a host's power fails while it is verified: no request is lost", async () => {
    await expectNothingLost(lab(), lab().edges, ALL, () =>
      expectGoesOnAfterPowerCut("verifying", "slow-start"),
    );
  });

  test("every machine is rebooted in turn; requests through an edge that stays are all answered", async () => {
    const [first, second] = lab().edges as [LabHost, LabHost];
    for (const [down, stays] of [
      [first, second],
      [second, first],
    ] as const) {
      await expectNothingLost(lab(), [stays], ALL, () => reboot(down));
      await until(
        `${down.name} to serve again`,
        () => fetch(`http://${down.address}:8000/`).then(({ ok }) => ok),
        PATIENCE_MS,
      );
    }
    await expectNothingLost(lab(), lab().edges, ALL, () => reboot(lab().controlPlane));
    for (const host of lab().hosts) {
      await reboot(host);
      await until(
        `${host.name} to run its service`,
        async () => (await lab().answering(host)) === serving,
        PATIENCE_MS,
      );
    }
    await settle(next());
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
      await expectNothingLost(lab(), untouched === undefined ? [] : [untouched], ALL, async () => {
        const ends = directions.flatMap(({ from, to }) => [from, to]).filter((name) => name !== "cp");
        await lab().network.cut(directions);
        const { id } = await lab().roll({ version: next(), strategy: { kind: "rolling" } });
        const waitsForThem = ({ waiting }: RolloutDocument) =>
          waiting.some(({ message }) => ends.some((name) => message.includes(name)));
        await reached(lab().api, id, `word of ${ends.join(" or ")}`, waitsForThem, PATIENCE_MS);
        // Cut both ways, the one that is never asked has nothing to say.
        const bites = async () => (await lab().network.dropped()).some((packets) => packets > 0);
        await until("the cut to have kept something from getting through", bites, PATIENCE_MS);
        const { status, explanation } = await lab().api.readRollout(id);
        expect(status, explanation).not.toBe("succeeded");
        await lab().network.cut([]);
        await expectHealed(id);
      });
    },
  );
});
