import { rmSync, writeFileSync } from "node:fs";
import type { HostPhase } from "@siding/shared/phases";
import type { RolloutDocument } from "@siding/shared/rest";
import { expect, onTestFinished, test } from "vitest";
import { finished, reached } from "../fleet/rollouts.ts";
import { isAlive, processesHolding } from "../processes/holders.ts";
import { until } from "../until.ts";
import { expectNothingLost, expectRolled, ROLLOUT_DEADLINE_MS, servingVersions, useFleet } from "./scene.ts";

const fleet = useFleet({
  hosts: 3,
  edges: 1,
  releases: [
    { version: "v1", variant: "sound" },
    { version: "v2", variant: "sound" },
  ],
});

const BOTH = ["v1", "v2"];

/** The version that does not serve now. */
async function other(): Promise<string> {
  return (await servingVersions(fleet())).includes("v1") ? "v2" : "v1";
}

function innerMaster(): number {
  const { runDir } = fleet().edge().agent;
  const master = processesHolding(runDir).find(({ command }) => command.startsWith("nginx: master"));
  if (master === undefined) throw new Error(`no inner nginx runs in ${runDir}`);
  return master.pid;
}

const anyHostIn = (phase: HostPhase) => (document: RolloutDocument) =>
  document.hosts.some((host) => host.phase === phase);

/** Said as a reason for waiting, or as the cause that changed the rollout's course. */
const says = (pattern: RegExp) => (document: RolloutDocument) =>
  [...document.waiting.map(({ message }) => message), document.cause?.message ?? ""].some((text) =>
    pattern.test(text),
  );

test("nginx refuses the config: its own words, the old list serves on, and it rolls back", async () => {
  const version = await other();
  const foreign = `${fleet().edge().agent.runDir}/current/upstreams/zz-foreign.conf`;
  onTestFinished(() => rmSync(foreign, { force: true }));
  await expectNothingLost(fleet(), BOTH, async () => {
    writeFileSync(foreign, "nonsense_directive on;\n");
    const { id } = await fleet().roll({ version, strategy: { kind: "rolling" } });
    await reached(fleet().api, id, "the refusal", says(/e1 .*nonsense_directive/s), 30_000);
    rmSync(foreign);
    const ended = await finished(fleet().api, id, "rolled-back", ROLLOUT_DEADLINE_MS);
    expect(ended.cause?.message).toMatch(/e1 .*nonsense_directive/s);
  });
});

test("a reload that returns 0 without effect, of a stopped inner master, is noticed and named, and it goes on once it runs", async () => {
  const version = await other();
  const master = innerMaster();
  onTestFinished(() => void (isAlive(master) && process.kill(master, "SIGCONT")));
  await expectNothingLost(fleet(), BOTH, async () => {
    process.kill(master, "SIGSTOP");
    const { id } = await fleet().roll({ version, strategy: { kind: "rolling" } });
    await reached(fleet().api, id, "the trouble", says(/e1 to serve.* after \d+ ms/s), 60_000);
    process.kill(master, "SIGCONT");
    await finished(fleet().api, id, "succeeded", ROLLOUT_DEADLINE_MS);
  });
});

test("the inner master killed between rollouts: a new one takes over", async () => {
  const killed = innerMaster();
  await expectNothingLost(fleet(), BOTH, async () => {
    process.kill(killed, "SIGKILL");
    await until("a new inner master", () => innerMaster() !== killed, 20_000);
  });
  await expectRolled(fleet(), BOTH, { version: await other() });
});

test("the inner master killed in a rollout", async () => {
  const version = await other();
  await expectNothingLost(fleet(), BOTH, async () => {
    const { id } = await fleet().roll({ version, strategy: { kind: "rolling" } });
    await reached(fleet().api, id, "an update", anyHostIn("updating"), 30_000);
    process.kill(innerMaster(), "SIGKILL");
    await finished(fleet().api, id, "succeeded", ROLLOUT_DEADLINE_MS);
  });
});

test.each([
  ["before a reload", "leaving"],
  ["after a reload", "draining"],
] as const)("the edge's agent killed %s and started again", async (_, phase) => {
  const version = await other();
  await expectNothingLost(fleet(), BOTH, async () => {
    const { id } = await fleet().roll({ version, strategy: { kind: "rolling" } });
    await reached(fleet().api, id, `a host ${phase}`, anyHostIn(phase), 30_000);
    await fleet().edge().agent.kill();
    fleet().edge().agent.start();
    await finished(fleet().api, id, "succeeded", ROLLOUT_DEADLINE_MS);
  });
});
