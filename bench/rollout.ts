// `pnpm bench rollout`: how long a rollout takes, what of that is Siding's own, how long each host is out of rotation, and
// the same job by a playbook in the same run. Design section 13.

import type { Counts } from "@siding/playground/clients/counts";
import { lightTraffic } from "@siding/playground/clients/mix";
import { Traffic } from "@siding/playground/clients/traffic";
import { followEvents } from "@siding/playground/fleet/events";
import { type Fleet, startFleet } from "@siding/playground/fleet/fleet";
import { finished } from "@siding/playground/fleet/rollouts";
import { runInYard } from "@siding/playground/processes/orderly-end";
import { Yard } from "@siding/playground/processes/yard";
import type { RolloutDocument } from "@siding/shared/rest";
import { Command } from "commander";
import { median } from "./parts/median.ts";
import { positive } from "./parts/options.ts";
import { Opponent } from "./playbook/opponent.ts";
import { measureRestart } from "./playbook/restart.ts";

/** What is raced: so many hosts, so many at a time; and how much faster than the playbook it should be. */
const CASES = [
  { hosts: 4, batch: 1, wantedRatio: 4 },
  { hosts: 20, batch: 5, wantedRatio: 5 },
] as const;
type Case = (typeof CASES)[number];

const OWN_TARGET_MS = 50;
const OUT_TARGET_MS = 500;
const ROLLOUT_DEADLINE_MS = 120_000;
const STEADY_REQUESTS = 500;

type Options = { readonly runs: number; readonly hosts?: number };

/** What one side took, over all of its runs. */
interface Side {
  readonly tookMs: readonly number[];
  readonly counts: Counts;
}

type Measured = Case & {
  readonly siding: Side & {
    readonly ownMs: readonly number[];
    readonly outMs: readonly number[];
  };
  readonly playbook: Side;
  /** Of the service itself: alone, and as many at once as a batch has. */
  readonly restartMs: { readonly alone: number; readonly batch: number };
};

const options = parseOptions();
await runInYard((yard) => bench(yard));

async function bench(yard: Yard): Promise<number> {
  const measured: Measured[] = [];
  for (const one of CASES.filter(({ hosts }) => (options.hosts ?? hosts) === hosts)) {
    measured.push(await race(yard, one));
    process.stderr.write(`${linesOf(measured.slice(-1)).join("\n")}\n\n`);
  }
  process.stdout.write(`${JSON.stringify({ bench: "rollout", cases: measured.map(summaryOf) })}\n`);
  return measured.every(lostNothing) ? 0 : 1;
}

/** One after the other on the same machine, so that neither is slowed by the other. */
async function race(yard: Yard, one: Case): Promise<Measured> {
  const playbook = await inYardOfItsOwn(yard, (own) => runPlaybook(own, one));
  const { restartMs, ...siding } = await inYardOfItsOwn(yard, (own) => runSiding(own, one));
  return { ...one, siding, playbook, restartMs };
}

/** Ended before the next one begins, and in any case with the bench's own. */
async function inYardOfItsOwn<T>(outer: Yard, work: (yard: Yard) => Promise<T>): Promise<T> {
  const yard = new Yard();
  const close = async () => {
    const complaints = await yard.close();
    if (complaints.length > 0) throw new Error(complaints.join("\n"));
  };
  outer.beforeClose("ending one side of the race", close);
  const result = await work(yard).catch((error: unknown) => {
    process.stderr.write(yard.logTails(15));
    throw error;
  });
  await close();
  return result;
}

async function runPlaybook(yard: Yard, { hosts, batch }: Case): Promise<Side> {
  const opponent = await Opponent.start(yard, "playbook", hosts);
  const traffic = await Traffic.start(yard, "clients", lightTraffic(opponent.target, ["v1", "v2"]));
  await traffic.more(STEADY_REQUESTS);
  const tookMs: number[] = [];
  for (const version of versions()) tookMs.push(await opponent.deploy(version, batch));
  return { tookMs, counts: await traffic.stop() };
}

async function runSiding(yard: Yard, { hosts, batch }: Case) {
  const releases = [
    { version: "v1", variant: "sound" },
    { version: "v2", variant: "sound" },
  ] as const;
  // One good health answer, as in the playbook. Who serves is asked now and then, who starts twenty times a second.
  const health = { http: "/healthz", interval: "2s", timeout: "1s", rise: 1, grace: "10s" } as const;
  const fleet = await startFleet(yard, { hosts, edges: 1, releases, spec: { health } });
  const traffic = await Traffic.start(yard, "clients", lightTraffic(fleet.edge().front.target, ["v1", "v2"]));
  await traffic.more(STEADY_REQUESTS);
  const alone = await measureRestart(yard, 1);
  const restartMs = { alone, batch: batch === 1 ? alone : await measureRestart(yard, batch) };
  const rollouts: { document: RolloutDocument; outMs: readonly number[] }[] = [];
  for (const version of versions()) rollouts.push(await roll(fleet, version, batch));
  const counts = await traffic.stop();
  return {
    restartMs,
    counts,
    tookMs: rollouts.map(
      ({ document }) => Date.parse(document.finishedAt ?? "") - Date.parse(document.createdAt),
    ),
    ownMs: rollouts.flatMap(({ document }) => document.batches.flatMap(({ ownMs }) => ownMs ?? [])),
    outMs: rollouts.flatMap((one) => one.outMs),
  };
}

/** v2, v1, v2, …: as many as were asked for. */
function versions(): string[] {
  return Array.from({ length: options.runs }, (_, index) => (index % 2 === 0 ? "v2" : "v1"));
}

async function roll(fleet: Fleet, version: string, batchSize: number) {
  const { id } = await fleet.roll({ version, strategy: { kind: "rolling", batchSize } });
  const document = await finished(fleet.api, id, "succeeded", ROLLOUT_DEADLINE_MS);
  return { document, outMs: await outOfRotation(fleet, document) };
}

/** Of each host, from the confirmation that no edge lists it to the one that every edge does again. */
async function outOfRotation(fleet: Fleet, { id }: RolloutDocument): Promise<number[]> {
  const outAt = new Map<string, number>();
  const outMs: number[] = [];
  for await (const { type, data } of followEvents(fleet.api, id)) {
    if (type !== "phase-changed") continue;
    const { at, hostId, phase } = data as { at: string; hostId: string; phase: string };
    if (phase === "draining") outAt.set(hostId, Date.parse(at));
    const since = outAt.get(hostId);
    if (phase === "serving" && since !== undefined) outMs.push(Date.parse(at) - since);
  }
  return outMs;
}

function summaryOf({ hosts, batch, siding, playbook, restartMs }: Measured) {
  return {
    hosts,
    batch,
    sidingMs: Math.round(median(siding.tookMs)),
    playbookMs: Math.round(median(playbook.tookMs)),
    ratio: Number((median(playbook.tookMs) / median(siding.tookMs)).toFixed(2)),
    ownMs: { median: Math.round(median(siding.ownMs)), worst: Math.round(Math.max(...siding.ownMs)) },
    outMs: { median: Math.round(median(siding.outMs)), worst: Math.round(Math.max(...siding.outMs)) },
    restartMs: { alone: Math.round(restartMs.alone), batch: Math.round(restartMs.batch) },
    failed: { siding: siding.counts.failed, playbook: playbook.counts.failed },
    requests: { siding: siding.counts.requests, playbook: playbook.counts.requests },
  };
}

function linesOf(measured: readonly Measured[]): string[] {
  return measured.flatMap((one) => {
    const { hosts, batch, sidingMs, playbookMs, ratio, ownMs, outMs, restartMs, failed, requests } =
      summaryOf(one);
    const runs = `median of ${one.siding.tookMs.length}`;
    return [
      `${hosts} hosts by ${batch}: Siding ${sidingMs} ms, the playbook ${playbookMs} ms (${runs}): ${ratio} times as fast; wanted: ${one.wantedRatio}`,
      `  own time a batch: median ${ownMs.median} ms, worst ${ownMs.worst} ms; wanted: at most ${OWN_TARGET_MS} ms`,
      `  out of rotation: median ${outMs.median} ms, worst ${outMs.worst} ms; the service's own restart takes ${restartMs.batch} ms (${batch} at once; alone ${restartMs.alone} ms); wanted: at most ${restartMs.batch + OUT_TARGET_MS} ms`,
      `  lost: Siding ${failed.siding} of ${requests.siding}, the playbook ${failed.playbook} of ${requests.playbook}`,
    ];
  });
}

function lostNothing({ siding }: Measured): boolean {
  return siding.counts.failed === 0;
}

function parseOptions(): Options {
  return new Command("pnpm bench rollout")
    .description("Rolls v1 and v2 back and forth under strict clients, and has a playbook do the same.")
    .option("--runs <n>", "rollouts of each side in each case", positive, 3)
    .option("--hosts <n>", "only the case with so many hosts", positive)
    .parse()
    .opts<Options>();
}
