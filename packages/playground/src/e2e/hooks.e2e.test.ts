import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { HookName } from "@siding/shared/hooks";
import { expect, test } from "vitest";
import { finished, reached } from "../fleet/rollouts.ts";
import { SERVICE, serviceSpec } from "../fleet/service-spec.ts";
import { expectNothingLost, ROLLOUT_DEADLINE_MS, servingVersions, useFleet } from "./scene.ts";

// Programs of the user's before a rollout and around the steps of its hosts, with real agents and processes.

const BOTH = ["v1", "v2"];

const fleet = useFleet({
  hosts: 2,
  edges: 1,
  releases: [
    { version: "v1", variant: "sound" },
    { version: "v2", variant: "sound" },
  ],
});

const pathOf = (name: string) => join(fleet().yard.folder, name);
const linesOf = (name: string) =>
  existsSync(pathOf(name)) ? readFileSync(pathOf(name), "utf8").trim().split("\n") : [];

/** From here on what is rolled out has these hooks: scripts that see the yard as $YARD. */
async function declare(scripts: Readonly<Partial<Record<HookName, string>>>): Promise<void> {
  const hooks = Object.fromEntries(
    Object.entries(scripts).map(([name, script]) => {
      const env = { YARD: fleet().yard.folder };
      return [name, { command: ["sh", "-c", script], env, timeout: "30s" }];
    }),
  );
  await fleet().api.declare(SERVICE, serviceSpec(fleet().ports, { hooks }));
}

/** Goes on when the file of that name is there. */
const untilFile = (name: string) => `while ! test -e "$YARD/${name}"; do sleep 0.02; done`;
const isRunning = ({ beforeRollout: hook, waiting }: Awaited<ReturnType<typeof reached>>) =>
  hook?.status === "running" && waiting.some(({ code, since }) => code === "hook" && since !== undefined);

test("each runs at its point; the one before everything once, though the control plane is killed meanwhile", async () => {
  const note = 'echo $SIDING_HOOK $SIDING_HOST $SIDING_VERSION >> "$YARD/notes"';
  await declare({
    beforeRollout: `${note}; ${untilFile("go")}`,
    beforeUpdate: note,
    afterUpdate: note,
    beforeRejoin: note,
  });
  await expectNothingLost(fleet(), BOTH, async () => {
    const { id } = await fleet().roll({ version: "v2", strategy: { kind: "rolling" } });
    const seen = await reached(fleet().api, id, "the hook", isRunning, 30_000);
    expect(seen.explanation).toMatch(
      /hook beforeRollout is running on h1, before anything changes \(timeout 30s\), for .*, at most .* more/,
    );
    await fleet().controlPlane.kill();
    await fleet().controlPlane.start();
    writeFileSync(pathOf("go"), "");
    const ended = await finished(fleet().api, id, "succeeded", ROLLOUT_DEADLINE_MS);
    expect(ended.beforeRollout).toEqual({ hostId: "h1", status: "done" });
    expect(ended.batches[0]?.parts.hooksMs).toBeGreaterThan(0);
  });
  const around = (host: string) =>
    ["beforeUpdate", "afterUpdate", "beforeRejoin"].map((hook) => `${hook} ${host} v2`);
  expect(linesOf("notes")).toEqual(["beforeRollout h1 v2", ...around("h1"), ...around("h2")]);
});

test("one that fails before everything ends the rollout with nothing changed, and says what it printed", async () => {
  await declare({ beforeRollout: "echo relation users is locked >&2; exit 1" });
  const ended = await expectNothingLost(fleet(), ["v2"], async () => {
    const { id } = await fleet().roll({ version: "v1" });
    return finished(fleet().api, id, "failed", ROLLOUT_DEADLINE_MS);
  });
  expect(ended).toMatchObject({ batches: [], cause: { code: "hook-failed" }, reloads: { e1: 0 } });
  expect(ended.beforeRollout).toMatchObject({
    hostId: "h1",
    status: "failed",
    error: { output: "relation users is locked" },
  });
  expect(await servingVersions(fleet())).toEqual(["v2", "v2"]);
});

test("one whose agent is killed in the middle of it is a person's to judge, and never run twice", async () => {
  await declare({ beforeRollout: 'echo begun >> "$YARD/begun"; sleep 1000' });
  await expectNothingLost(fleet(), BOTH, async () => {
    const { id } = await fleet().roll({ version: "v1" });
    await reached(fleet().api, id, "the hook", isRunning, 30_000);
    await fleet().host("h1").kill();
    fleet().host("h1").start();
    const paused = await reached(fleet().api, id, "the pause", ({ status }) => status === "paused", 30_000);
    expect(paused).toMatchObject({ batches: [], cause: { code: "hook-unknown" } });
    await fleet().api.control(id, "resume", "looked: it was done");
    await finished(fleet().api, id, "succeeded", ROLLOUT_DEADLINE_MS);
  });
  expect(linesOf("begun")).toEqual(["begun"]);
  expect(await servingVersions(fleet())).toEqual(["v1", "v1"]);
});
