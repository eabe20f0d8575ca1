import { mkdirSync, writeFileSync } from "node:fs";
import { freePort } from "@siding/playground/processes/free-port";
import type { Yard } from "@siding/playground/processes/yard";
import { packRelease } from "@siding/playground/service/releases";
import { until } from "@siding/playground/until";

/** Odd, so that one of them is the median. */
const RESTARTS = 5;
const ADDRESS = "127.0.4.1";
const HEALTHY_DEADLINE_MS = 20_000;

/**
 * How long the service itself takes, in ms: from the signal to stop to its first good health answer, with nobody
 * between. The median of a few, beside the fleet and its traffic.
 */
export async function measureRestart(yard: Yard): Promise<number> {
  const folder = yard.path("restart");
  mkdirSync(folder);
  writeFileSync(`${folder}/v1.tar.gz`, packRelease({ version: "v1", variant: "sound" }));
  await yard.run({
    name: "restart-unpack",
    command: "tar",
    args: ["-xzf", `${folder}/v1.tar.gz`, "-C", folder],
  });
  const port = await freePort([ADDRESS]);
  const start = () =>
    yard.start({
      name: "restarted",
      command: "env",
      args: [`ADDRESS=${ADDRESS}`, `PORT=${port}`, "node", `${folder}/server.mjs`],
    });
  const healthy = () =>
    until(
      "a good health answer",
      async () => (await fetch(`http://${ADDRESS}:${port}/healthz`)).ok,
      HEALTHY_DEADLINE_MS,
    );
  let program = start();
  await healthy();
  const tookMs: number[] = [];
  for (let turn = 0; turn < RESTARTS; turn += 1) {
    const startedMs = performance.now();
    await program.stop(HEALTHY_DEADLINE_MS);
    program = start();
    await healthy();
    tookMs.push(performance.now() - startedMs);
  }
  await program.stop(HEALTHY_DEADLINE_MS);
  return tookMs.toSorted((left, right) => left - right)[Math.floor(RESTARTS / 2)] as number;
}
