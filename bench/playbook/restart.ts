import { mkdirSync, writeFileSync } from "node:fs";
import { freePort } from "@siding/playground/processes/free-port";
import type { Program } from "@siding/playground/processes/program";
import type { Yard } from "@siding/playground/processes/yard";
import { packRelease } from "@siding/playground/service/releases";
import { until } from "@siding/playground/until";
import { median } from "../parts/median.ts";

const RESTARTS = 5;
const HEALTHY_DEADLINE_MS = 20_000;

/** One process of the service, with nobody between. */
interface Service {
  readonly address: string;
  readonly port: number;
  readonly program: string;
}

/**
 * How long the service itself takes, in ms: from the signal to stop to its first good health answer, beside the fleet and its
 * traffic. As many at once as a batch has: they share this machine's processors as the batch's do. The median of a few
 * times.
 */
export async function measureRestart(yard: Yard, atOnce: number): Promise<number> {
  const folder = yard.path(`restart-${atOnce}`);
  mkdirSync(folder);
  writeFileSync(`${folder}/v1.tar.gz`, packRelease({ version: "v1", variant: "sound" }));
  await yard.run({
    name: "restart-unpack",
    command: "tar",
    args: ["-xzf", `${folder}/v1.tar.gz`, "-C", folder],
  });
  const addresses = Array.from({ length: atOnce }, (_, index) => `127.0.4.${index + 1}`);
  const port = await freePort(addresses);
  const services = addresses.map((address) => ({ address, port, program: `${folder}/server.mjs` }));
  const tookMs = await Promise.all(services.map((service) => restarts(yard, service)));
  return median(tookMs.flat());
}

/** Its restarts one after the other, each as long as it took. */
async function restarts(yard: Yard, service: Service): Promise<readonly number[]> {
  let running = await started(yard, service);
  const tookMs: number[] = [];
  for (let turn = 0; turn < RESTARTS; turn += 1) {
    const startedMs = performance.now();
    await running.stop(HEALTHY_DEADLINE_MS);
    running = await started(yard, service);
    tookMs.push(performance.now() - startedMs);
  }
  await running.stop(HEALTHY_DEADLINE_MS);
  return tookMs;
}

async function started(yard: Yard, { address, port, program }: Service): Promise<Program> {
  const running = yard.start({
    name: `restarted-${address}`,
    command: "env",
    args: [`ADDRESS=${address}`, `PORT=${port}`, "node", program],
  });
  await until(
    "a good health answer",
    async () => (await fetch(`http://${address}:${port}/healthz`)).ok,
    HEALTHY_DEADLINE_MS,
  );
  return running;
}
