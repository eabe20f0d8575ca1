import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { UpstreamContent } from "@siding/shared/command";
import { contentDigest } from "@siding/shared/digest";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Rig, value, web } from "./testing/rig.ts";
import { ask, StrictClients } from "./testing/strict-client.ts";

const program = fileURLToPath(new URL("testing/apply.main.ts", import.meta.url));
/** One turn takes about 30 ms: an odd step visits all of it. */
const lifetimesMs = [1, 5, 8, 11, 14, 17, 20, 23, 26, 29, 33, 37, 41, 47, 53, 61];

let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});
afterEach(() => rig.close());

test("an agent killed at any point of a change: the next one knows what is served, and no request is lost", async () => {
  const [one, two] = [await rig.origin("one"), await rig.origin("two")];
  const contents = [web([one.member]), web([two.member])];
  value(await rig.edge.start());
  value(await rig.edge.apply(web([one.member]), 1));
  const front = await rig.front();
  const clients = new StrictClients(front.port, 4);
  const master = rig.masterPid;

  for (const [life, lifetimeMs] of lifetimesMs.entries()) {
    await liveFor(lifetimeMs, contents, 100 * (life + 1));
    const facts = await rig.restartAgent();
    expect(facts).toMatchObject({ inner: "taken-over", warnings: [], served: [{ upstream: "web" }] });
    const served = contents.findIndex((content) => contentDigest(content) === facts.served[0]?.digest);
    for (let turn = 0; turn < 5; turn += 1) {
      expect((await ask(front)).body).toBe(["one", "two"][served]);
    }
  }
  await clients.stop();
  expect(clients.failures).toEqual([]);
  expect(rig.masterPid).toBe(master);
});

/** Runs an agent that applies one content after the other, and kills it. */
async function liveFor(lifetimeMs: number, contents: readonly UpstreamContent[], revision: number) {
  const args = [rig.config, contents, revision].map((part) => JSON.stringify(part));
  const agent = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  await once(agent.stdout, "data");
  await pause(lifetimeMs);
  agent.kill("SIGKILL");
  await once(agent, "exit");
}
