// `pnpm bench loss`: do strict clients lose a request while v1 and v2 are rolled out over and over? Design section 13.

import type { Counts } from "@siding/playground/clients/counts";
import { describeFailures } from "@siding/playground/clients/counts";
import { heavyTraffic } from "@siding/playground/clients/mix";
import { startRelay } from "@siding/playground/clients/relay-process";
import { Traffic } from "@siding/playground/clients/traffic";
import { reloadsOf } from "@siding/playground/demo/summary";
import { type Fleet, startFleet } from "@siding/playground/fleet/fleet";
import { finished } from "@siding/playground/fleet/rollouts";
import { runInYard } from "@siding/playground/processes/orderly-end";
import type { Yard } from "@siding/playground/processes/yard";
import { Command, Option } from "commander";
import { positive } from "./parts/options.ts";

const STRATEGIES = ["rolling", "in-place"] as const;
type StrategyName = (typeof STRATEGIES)[number];

const ROUND_TRIPS_MS = [0, 20];
const HOSTS = 4;

/** 1,000,000 take a few minutes on two cores; this is enough to see what one wrong step would lose. */
const DEFAULT_REQUESTS = 200_000;

/** A rollout here takes two seconds; one that does not end is a finding, not something to wait for. */
const ROLLOUT_DEADLINE_MS = 60_000;

type Options = { readonly requests: number; readonly strategy?: StrategyName };

/** One strategy at one round trip. */
type Measured = {
  readonly strategy: StrategyName;
  readonly roundTripMs: number;
  readonly counts: Counts;
  readonly seconds: number;
  readonly rollouts: readonly { readonly batches: number; readonly reloads: number }[];
};

const options = parseOptions();
await runInYard((yard) => bench(yard));

async function bench(yard: Yard): Promise<number> {
  const releases = [
    { version: "v1", variant: "sound" },
    { version: "v2", variant: "sound" },
  ] as const;
  const fleet = await startFleet(yard, { hosts: HOSTS, edges: 1, releases });
  const back = alternate("v2", "v1");
  const cases = STRATEGIES.filter((name) => (options.strategy ?? name) === name).flatMap((strategy) =>
    ROUND_TRIPS_MS.map((roundTripMs) => ({ strategy, roundTripMs })),
  );
  const requests = Math.ceil(options.requests / cases.length);
  const measured: Measured[] = [];
  for (const { strategy, roundTripMs } of cases) {
    measured.push(await measure(fleet, strategy, roundTripMs, requests, back));
    say(rows(measured.slice(-1)));
  }
  const verdict = judge(measured);
  say(`\n${rows(measured)}\n\n${verdict.lines.join("\n")}`);
  process.stdout.write(`${JSON.stringify(verdict.json)}\n`);
  return verdict.passed ? 0 : 1;
}

function* alternate(first: string, second: string): Generator<string, never> {
  for (;;) {
    yield first;
    yield second;
  }
}

/** Rolls back and forth for as long as the clients take to make their requests. */
async function measure(
  fleet: Fleet,
  strategy: StrategyName,
  roundTripMs: number,
  requests: number,
  versions: Generator<string, never>,
): Promise<Measured> {
  const direct = fleet.edge().front.target;
  const target = roundTripMs === 0 ? direct : await startRelay(fleet.yard, direct, roundTripMs);
  const startedMs = performance.now();
  const plan = heavyTraffic(target, ["v1", "v2"], requests, roundTripMs);
  const traffic = await Traffic.start(fleet.yard, `clients-${strategy}-${roundTripMs}ms`, plan);
  let busy = true;
  const done = traffic.finished().finally(() => {
    busy = false;
  });
  const rollouts: Measured["rollouts"][number][] = [];
  while (busy) {
    const { id } = await fleet.roll({ version: versions.next().value, strategy: { kind: strategy } });
    const document = await finished(fleet.api, id, "succeeded", ROLLOUT_DEADLINE_MS);
    rollouts.push({ batches: document.plan.batches.length, reloads: reloadsOf(document) });
  }
  const counts = await done;
  await traffic.stop();
  return { strategy, roundTripMs, counts, seconds: (performance.now() - startedMs) / 1_000, rollouts };
}

/** k batches may cost k+1 reloads. */
function judge(measured: readonly Measured[]) {
  const requests = measured.reduce((sum, { counts }) => sum + counts.requests, 0);
  const failed = measured.reduce((sum, { counts }) => sum + counts.failed, 0);
  const rollouts = measured.flatMap((one) => one.rollouts);
  const tooManyReloads = rollouts.filter(({ batches, reloads }) => reloads > batches + 1).length;
  const lines = [
    `${failed} of ${requests} requests failed, over ${rollouts.length} rollouts`,
    `${tooManyReloads} rollouts of k batches took more than k+1 reloads`,
    ...measured.filter(({ counts }) => counts.failed > 0).map(({ counts }) => describeFailures(counts)),
  ];
  const cases = measured.map(({ strategy, roundTripMs, counts, seconds, rollouts: ran }) => ({
    strategy,
    roundTripMs,
    requests: counts.requests,
    failed: counts.failed,
    perSecond: Math.round(counts.requests / seconds),
    rollouts: ran.length,
    mostReloads: Math.max(0, ...ran.map(({ reloads }) => reloads)),
    kinds: counts.kinds,
  }));
  const json = { bench: "loss", requests, failed, rollouts: rollouts.length, tooManyReloads, cases };
  return { passed: failed === 0 && tooManyReloads === 0, lines, json };
}

function rows(measured: readonly Measured[]): string {
  const head = [
    "strategy",
    "rtt ms",
    "clients",
    "requests",
    "failed",
    "p50 ms",
    "p99 ms",
    "rollouts",
    "reloads",
  ];
  const body = measured.flatMap(({ strategy, roundTripMs, counts, rollouts }) =>
    counts.kinds.map(({ kind, requests, failed, p50Ms, p99Ms }) => [
      ...[strategy, roundTripMs, kind, requests, failed, p50Ms, p99Ms, rollouts.length],
      reloadsPerRollout(rollouts),
    ]),
  );
  return [head, ...body].map((row) => row.map((cell) => String(cell).padEnd(12)).join("")).join("\n");
}

/** `5 (k=4)`, the most that any of these rollouts took. */
function reloadsPerRollout(rollouts: Measured["rollouts"]): string {
  const most = rollouts.toSorted((left, right) => right.reloads - left.reloads)[0];
  return most === undefined ? "none" : `${most.reloads} (k=${most.batches})`;
}

function parseOptions(): Options {
  return new Command("pnpm bench loss")
    .description("Rolls v1 and v2 back and forth under strict clients and counts what they lose.")
    .option("--requests <n>", "over all cases", positive, DEFAULT_REQUESTS)
    .addOption(new Option("--strategy <name>", "only this one").choices([...STRATEGIES]))
    .parse()
    .opts<Options>();
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
