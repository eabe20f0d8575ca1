// `pnpm bench edge`: the price of mode inner. The same service behind the same front, once with the inner nginx between and
// once with the hosts in the front's own list (mode include). Design section 13.

import { availableParallelism } from "node:os";
import { type Fleet, startFleet } from "@siding/playground/fleet/fleet";
import { runInYard } from "@siding/playground/processes/orderly-end";
import type { Yard } from "@siding/playground/processes/yard";
import { Command } from "commander";
import { type Doors, makeCertificate, openDoors } from "./edge/fronts.ts";
import { type Burst, load } from "./edge/load.ts";
import { deployTiny } from "./edge/tiny.ts";
import { median } from "./parts/median.ts";
import { positive } from "./parts/options.ts";

/** A load below what the machine can bear; then as much as it can, with replies that cost the service next to nothing. */
const REPLIES = [
  { replies: "10 ms", path: "/slow?ms=10", connections: 16, deploy: null },
  { replies: "tiny", path: "/", connections: 32, deploy: deployTiny },
] as const;
const SCHEMES = ["http", "https"] as const;
const MODES = ["inner", "include"] as const;
type Mode = (typeof MODES)[number];

/** Connections are made and programs compiled before anything counts. */
const WARM_UP_SECONDS = 1;

type Options = { readonly rounds: number; readonly seconds: number };

type Case = Omit<(typeof REPLIES)[number], "deploy"> & { readonly scheme: (typeof SCHEMES)[number] };
type Measured = Case & { readonly rounds: readonly Readonly<Record<Mode, Burst>>[] };

const options = parseOptions();
await runInYard((yard) => bench(yard));

async function bench(yard: Yard): Promise<number> {
  const fleet = await startFleet(yard, {
    hosts: 2,
    edges: MODES.length,
    edgeMode: MODES,
    releases: [{ version: "v1", variant: "sound" }],
    // Asked seldom: it is the edges that are measured.
    spec: { health: { http: "/healthz", interval: "1s", rise: 1, grace: "10s" } },
  });
  const doors = await doorsOf(yard, fleet);
  const measured: Measured[] = [];
  for (const { deploy, ...replies } of REPLIES) {
    await deploy?.(fleet);
    for (const scheme of SCHEMES) measured.push(await measure(doors, { ...replies, scheme }));
  }
  const cases = measured.map(summaryOf);
  process.stderr.write(`${tableOf(cases)}\n`);
  process.stdout.write(`${JSON.stringify({ bench: "edge", processors: availableParallelism(), cases })}\n`);
  return cases.every(({ failed }) => failed === 0) ? 0 : 1;
}

async function doorsOf(yard: Yard, fleet: Fleet): Promise<Record<Mode, Doors>> {
  const certificate = makeCertificate(yard);
  const open = (mode: Mode) => openDoors(yard, fleet.edge(MODES.indexOf(mode)), certificate);
  return { inner: await open("inner"), include: await open("include") };
}

/** In turns, and the other one first each time: what else the machine does is borne by both. */
async function measure(doors: Record<Mode, Doors>, each: Case): Promise<Measured> {
  const { path, connections, scheme } = each;
  const burst = (mode: Mode, seconds: number) => {
    const { address, port } = doors[mode][scheme];
    return load(`${scheme}://${address}:${port}${path}`, connections, seconds);
  };
  for (const mode of MODES) await burst(mode, WARM_UP_SECONDS);
  const rounds: Record<Mode, Burst>[] = [];
  for (let round = 0; round < options.rounds; round += 1) {
    if (round % 2 === 0) {
      const inner = await burst("inner", options.seconds);
      rounds.push({ inner, include: await burst("include", options.seconds) });
    } else {
      const include = await burst("include", options.seconds);
      rounds.push({ inner: await burst("inner", options.seconds), include });
    }
  }
  return { ...each, rounds };
}

function summaryOf({ replies, scheme, connections, rounds }: Measured) {
  const of = (mode: Mode) => ({
    perSecond: Math.round(median(rounds.map((round) => round[mode].perSecond))),
    p99Ms: rounded(median(rounds.map((round) => round[mode].p99Ms))),
  });
  return {
    replies,
    scheme,
    connections,
    inner: of("inner"),
    include: of("include"),
    ratio: {
      throughput: rounded(median(rounds.map(({ inner, include }) => inner.perSecond / include.perSecond))),
      p99: rounded(median(rounds.map(({ inner, include }) => inner.p99Ms / include.p99Ms))),
    },
    failed: rounds.reduce((sum, { inner, include }) => sum + inner.failed + include.failed, 0),
  };
}

function tableOf(cases: readonly ReturnType<typeof summaryOf>[]): string {
  const head = [
    "replies",
    "front",
    "clients",
    "inner /s",
    "one tier /s",
    "ratio",
    "inner p99",
    "one tier p99",
    "ratio",
    "failed",
  ];
  const rows = cases.map(({ replies, scheme, connections, inner, include, ratio, failed }) => [
    ...[replies, scheme, connections, inner.perSecond, include.perSecond, ratio.throughput],
    ...[`${inner.p99Ms} ms`, `${include.p99Ms} ms`, ratio.p99, failed],
  ]);
  const lines = [head, ...rows].map((row) =>
    row
      .map((cell) => String(cell).padEnd(13))
      .join("")
      .trimEnd(),
  );
  const processors = availableParallelism();
  return `${lines.join("\n")}
Medians of ${options.rounds} rounds of ${options.seconds} s, in turns. Clients (wrk), fronts, inner nginx and services share ${processors} processors:
the ratio is that of such a machine. Tiny replies come from another nginx, so that it is the edge that is measured.`;
}

function rounded(value: number): number {
  return Number(value.toFixed(2));
}

function parseOptions(): Options {
  return new Command("pnpm bench edge")
    .description("Throughput and p99 with the inner nginx against one tier, in turns.")
    .option("--rounds <n>", "bursts of each mode in each case", positive, 5)
    .option("--seconds <n>", "length of a burst", positive, 4)
    .parse()
    .opts<Options>();
}
