// `pnpm bench simulate`: one rolling rollout over a large fleet under virtual time, by the cores, the checker and the
// simulated hands that `pnpm simulate` has; nobody judges. Design section 13.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { Command } from "commander";
import { z } from "zod";
import { median } from "./parts/median.ts";
import { positive } from "./parts/options.ts";

const TARGET_MS = 1_000;
const CALM_ROLLOUT_PROGRAM = join(import.meta.dirname, "../packages/simulator/src/calm-rollout.main.ts");

const Took = z.object({ tookMs: z.number(), virtualMs: z.number(), steps: z.int(), events: z.int() });
type Took = z.infer<typeof Took>;

type Options = {
  readonly hosts: number;
  readonly batch: string;
  readonly runs: number;
  readonly round: number;
};

const options = new Command("pnpm bench simulate")
  .description("Simulates a rolling rollout over a large fleet, and a tenth of it for comparison.")
  .option("--hosts <n>", "of the fleet", positive, 1_000)
  .option("--batch <size>", "a number of hosts or a share", "10%")
  .option("--runs <n>", "of each", positive, 3)
  .option("--round <ms>", "of the control plane: whatever comes meanwhile is decided on together", Number, 2)
  .parse()
  .opts<Options>();
process.exitCode = bench();

function bench(): number {
  const small = measured(Math.max(1, Math.ceil(options.hosts / 10)));
  const whole = measured(options.hosts);
  const tookMs = Math.round(median(whole.map((took) => took.tookMs)));
  const times = Math.round((10 * tookMs) / median(small.map((took) => took.tookMs))) / 10;
  const passed = tookMs < TARGET_MS;
  const [last] = whole.slice(-1);
  const { hosts, batch, round } = options;
  process.stderr.write(
    `${hosts} hosts by ${batch}, rounds of ${round} ms: ${tookMs} ms (below ${TARGET_MS} ms) for ${last?.virtualMs} ms of virtual time, ${last?.steps} steps, ${last?.events} events; ${times} times a fleet of a tenth\n`,
  );
  process.stdout.write(
    `${JSON.stringify({ bench: "simulate", hosts, batch, round, ...last, tookMs, times, passed })}\n`,
  );
  return passed ? 0 : 1;
}

function measured(hosts: number): readonly Took[] {
  return Array.from({ length: options.runs }, () => {
    const args = [CALM_ROLLOUT_PROGRAM, String(hosts), options.batch, String(options.round)];
    return Took.parse(JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })));
  });
}
