import { describe, expect, test } from "vitest";
import { finished } from "../fleet/rollouts.ts";
import { whyNoLab } from "./requirements.ts";
import { expectNothingLost, useLab } from "./scene.ts";

const why = whyNoLab();
const ROLLOUT_DEADLINE_MS = 120_000;
const BOTH = ["v1", "v2"];

describe.skipIf(why !== null)(`hosts with systemd${why === null ? "" : ` (skipped: ${why})`}`, () => {
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
      const { id } = await lab().roll({ version: "v2", strategy: { kind: "rolling" } });
      return finished(lab().api, id, "succeeded", ROLLOUT_DEADLINE_MS);
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
      const { id } = await lab().roll({ version: "v1", strategy: { kind: "in-place" } });
      return finished(lab().api, id, "succeeded", ROLLOUT_DEADLINE_MS);
    });
    expect(Object.keys(reloads).toSorted()).toEqual(["e1", "e2"]);
  });
});
