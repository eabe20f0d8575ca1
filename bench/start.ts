// `pnpm bench start`: from the start of the packed control plane to its being ready, with a long log behind it. Design
// section 13.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runInYard } from "@siding/playground/processes/orderly-end";
import type { Yard } from "@siding/playground/processes/yard";
import { until } from "@siding/playground/until";
import { Command } from "commander";
import { positive } from "./parts/options.ts";
import { asUnit, unpackedRelease } from "./parts/release.ts";

const TARGET_MS = 2_000;
const READY_DEADLINE_MS = 60_000;
const STOP_GRACE_MS = 10_000;
const LARGE_LEDGER_PROGRAM = join(
  import.meta.dirname,
  "../packages/control-plane/src/ledger/large-ledger.main.ts",
);

type Options = { readonly thousandEvents: number; readonly runs: number };

const options = new Command("pnpm bench start")
  .description("Starts a control plane again and again, and waits until it is ready.")
  .option("--thousand-events <n>", "in its ledger", positive, 100)
  .option("--runs <n>", "starts", positive, 5)
  .parse()
  .opts<Options>();
await runInYard((yard) => bench(yard));

async function bench(yard: Yard): Promise<number> {
  const [command = "", ...args] = asUnit(unpackedRelease(yard), "siding-control-plane");
  const dataDir = yard.path("data");
  mkdirSync(dataDir);
  const ledger = join(dataDir, "ledger.db");
  execFileSync(process.execPath, [LARGE_LEDGER_PROGRAM, ledger, String(options.thousandEvents)]);
  const config = yard.path("siding.yaml");
  writeFileSync(config, JSON.stringify({ dataDir }));
  const tookMs: number[] = [];
  for (let run = 0; run < options.runs; run += 1) {
    tookMs.push(await startOnce(yard, { command, args: [...args, "--config", config] }, dataDir));
  }
  const slowestMs = Math.max(...tookMs);
  const passed = slowestMs < TARGET_MS;
  const events = options.thousandEvents * 1_000;
  process.stderr.write(
    `ready after ${tookMs.join(", ")} ms with ${events} events (slowest below ${TARGET_MS} ms)\n`,
  );
  process.stdout.write(`${JSON.stringify({ bench: "start", events, tookMs, slowestMs, passed })}\n`);
  return passed ? 0 : 1;
}

/** Ready is: NATS runs and is connected, the API answers, and that is written down. */
async function startOnce(
  yard: Yard,
  program: { readonly command: string; readonly args: readonly string[] },
  dataDir: string,
): Promise<number> {
  const endpoints = join(dataDir, "endpoints.json");
  rmSync(endpoints, { force: true });
  const startedMs = performance.now();
  const started = yard.start({ name: "control-plane", ...program });
  await started.survives(until("it to be ready", () => existsSync(endpoints), READY_DEADLINE_MS));
  const tookMs = Math.round(performance.now() - startedMs);
  await started.stop(STOP_GRACE_MS);
  return tookMs;
}
