import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { RolloutDocument } from "@siding/shared/rest";
import { expect, test } from "vitest";
import { reached } from "../fleet/rollouts.ts";
import { until } from "../until.ts";
import { ROLLOUT_DEADLINE_MS, useFleet } from "./scene.ts";

const DAY_MS = 86_400_000;
const SHIFT_FILE = "clock-shift";
const PRELOAD = pathToFileURL(join(import.meta.dirname, "../processes/fixtures/shifted-clock.mjs"));

const fleet = useFleet({
  hosts: 2,
  edges: 1,
  releases: [
    { version: "v1", variant: "sound" },
    { version: "v2", variant: "sound" },
  ],
  nodeArgs: (yard) => ["--import", `${PRELOAD.href}?file=${yard.path(SHIFT_FILE)}`],
});

function setClock(shiftMs: number): void {
  const file = fleet().yard.path(SHIFT_FILE);
  writeFileSync(`${file}.new`, String(shiftMs));
  renameSync(`${file}.new`, file);
}

const bakes = ({ waiting }: RolloutDocument) => waiting.some(({ code }) => code === "bake");

test.each([
  ["forward", DAY_MS, "v2"],
  ["back", -DAY_MS, "v1"],
])(
  "the control plane's clock is set a day %s: nothing expires, nobody is lost",
  async (_, shiftMs, version) => {
    const { api } = fleet();
    const { id } = await fleet().roll({ version, strategy: { kind: "rolling" }, bakeTime: "10m" });
    await reached(api, id, "its bake", bakes, ROLLOUT_DEADLINE_MS);
    setClock(shiftMs);
    const isOff = async () => {
      // A beat was taken in since: it is stamped with the clock as it is now.
      const [host] = (await api.hosts()).filter(({ lastSeen }) => lastSeen !== null);
      return Math.abs(Date.parse(host?.lastSeen ?? "") - Date.now() - shiftMs) < 60_000;
    };
    await until("a beat at the new time", isOff, ROLLOUT_DEADLINE_MS);
    const rollout = await api.readRollout(id);
    expect([rollout.status, bakes(rollout)]).toEqual(["waiting", true]);
    const left =
      Date.parse(rollout.waiting.find(({ code }) => code === "bake")?.until ?? "") - Date.now() - shiftMs;
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(600_000);
    expect((await api.hosts()).map(({ liveness }) => liveness)).toEqual(["alive", "alive", "alive"]);
    await api.control(id, "promote");
    await reached(api, id, "its end", ({ status }) => status === "succeeded", ROLLOUT_DEADLINE_MS);
    setClock(0);
  },
);
