// `pnpm bench agent`: how much of a host the agent takes after many deploys, as it is packed and started by its unit. Design
// section 13.

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type Fleet, startFleet } from "@siding/playground/fleet/fleet";
import { finished } from "@siding/playground/fleet/rollouts";
import { runInYard } from "@siding/playground/processes/orderly-end";
import type { Yard } from "@siding/playground/processes/yard";
import { Command } from "commander";
import { positive } from "./parts/options.ts";
import { asUnit, unpackedRelease } from "./parts/release.ts";

const RSS_TARGET_KB = 56 * 1_024;
const PRIVATE_TARGET_KB = 16 * 1_024;
const GROWTH_TARGET = 0.05;
const IDLE_CPU_TARGET = 0.001;

/** Everything that is loaded late, is loaded; what comes on top from here on is growth. */
const SETTLED_AFTER = 10;
/** What a deploy has begun and not waited for: retention, and the first 20 answers of the service, which come at the full pace. */
const REST_MS = 15_000;
const ROLLOUT_DEADLINE_MS = 60_000;
/** Of /proc/PID/stat; the same on every Linux that we know. */
const TICKS_PER_SECOND = 100;

type Options = { readonly deploys: number; readonly idle: number };

type Memory = { readonly rssKb: number; readonly privateKb: number };

const options = new Command("pnpm bench agent")
  .description("Deploys over and over to one host, then lets its agent rest.")
  .option("--deploys <n>", "each of a release of its own", positive, 100)
  .option("--idle <seconds>", "how long its rest is watched", positive, 60)
  .parse()
  .opts<Options>();
await runInYard((yard) => bench(yard));

async function bench(yard: Yard): Promise<number> {
  const agentBuild = asUnit(unpackedRelease(yard), "siding-agent");
  const fleet = await startFleet(yard, {
    hosts: 1,
    edges: 1,
    releases: [{ version: "r0", variant: "sound" }],
    spec: { health: { http: "/healthz" } },
    agentBuild,
  });
  const agent = fleet.host("h1");
  let settled: Memory | undefined;
  for (let deploy = 1; deploy <= options.deploys; deploy += 1) {
    await deployFresh(fleet, `r${deploy}`);
    if (deploy === Math.min(SETTLED_AFTER, options.deploys)) settled = memoryOf(agent.pid);
  }
  await sleep(REST_MS);
  const after = memoryOf(agent.pid);
  const idleCpu = await cpuWhileIdle(agent.pid, options.idle);
  const rested = memoryOf(agent.pid);
  const growth = after.rssKb / (settled?.rssKb ?? after.rssKb) - 1;
  const passed =
    after.rssKb <= RSS_TARGET_KB &&
    after.privateKb <= PRIVATE_TARGET_KB &&
    growth < GROWTH_TARGET &&
    idleCpu < IDLE_CPU_TARGET;
  say(
    `after ${options.deploys} deploys: RSS ${megabytes(after.rssKb)} MB (at most 56), private ${megabytes(after.privateKb)} MB (at most 16)`,
  );
  say(`at the end of its rest: RSS ${megabytes(rested.rssKb)} MB, private ${megabytes(rested.privateKb)} MB`);
  say(
    `growth since deploy ${SETTLED_AFTER}: ${percent(growth)} (below 5 %); idle CPU over ${options.idle} s: ${percent(idleCpu)} (below 0.1 %)`,
  );
  const json = { bench: "agent", deploys: options.deploys, ...after, rested, growth, idleCpu, passed };
  process.stdout.write(`${JSON.stringify(json)}\n`);
  return passed ? 0 : 1;
}

async function deployFresh(fleet: Fleet, version: string): Promise<void> {
  await fleet.register({ version, variant: "sound" });
  const { id } = await fleet.roll({ version, strategy: { kind: "all-at-once", allowDowntime: true } });
  await finished(fleet.api, id, "succeeded", ROLLOUT_DEADLINE_MS);
}

/** As the kernel counts it: pages in memory, and those of them that nobody else shares and that can't be dropped. */
function memoryOf(pid: number): Memory {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const kilobytes = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(rollup)?.[1]);
  return { rssKb: kilobytes("Rss"), privateKb: kilobytes("Private_Dirty") };
}

/** Its share of one core, its children's included. */
async function cpuWhileIdle(pid: number, seconds: number): Promise<number> {
  const before = ticksOf(pid);
  await sleep(seconds * 1_000);
  return (ticksOf(pid) - before) / TICKS_PER_SECOND / seconds;
}

function ticksOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // Fields 14 to 17; the name, field 2, stands in brackets and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
}

function megabytes(kilobytes: number): string {
  return (kilobytes / 1_024).toFixed(1);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
