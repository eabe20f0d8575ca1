import { describeFailures } from "../clients/counts.ts";
import { lightTraffic } from "../clients/mix.ts";
import { Traffic } from "../clients/traffic.ts";
import { type Fleet, startFleet } from "../fleet/fleet.ts";
import { SERVICE } from "../fleet/service-spec.ts";
import type { Ending } from "../processes/orderly-end.ts";
import type { Yard } from "../processes/yard.ts";
import type { NamedRelease } from "../service/releases.ts";
import type { DemoArguments } from "./arguments.ts";
import { batchLines, follow } from "./progress.ts";
import { type DemoResult, humanSummary, jsonSummary } from "./summary.ts";

const V1: NamedRelease = { version: "v1", variant: "sound" };
const V2: NamedRelease = { version: "v2", variant: "sound" };
const BROKEN: NamedRelease = { version: "broken", variant: "broken" };

/** Asked often: nobody shall wait for the second good answer of a service that is up in a tenth of a second. */
const HEALTH = { http: "/healthz", interval: "50ms", timeout: "1s", rise: 2, grace: "5s" } as const;

/** Requests before and after the rollout, so that the counts speak of steady traffic too. */
const STEADY_REQUESTS = 200;

/** Runs the demo. Gives its exit code: 0 where v2 serves and nothing was lost. */
export async function runDemo(yard: Yard, ending: Ending, options: DemoArguments): Promise<number> {
  const startedMs = performance.now();
  say(`starting the control plane with NATS, an edge, and ${options.hosts} hosts in ${yard.folder}`);
  const releases = options.keep ? [V1, V2, BROKEN] : [V1, V2];
  const fleet = await startFleet(yard, {
    hosts: options.hosts,
    edges: 1,
    releases,
    edgeMode: options.edgeMode,
    spec: { health: HEALTH },
  });
  say(`up with ${V1.version} serving after ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
  if (options.keep) {
    showKept(fleet, releases, options.json);
    return ending.stayUntilStopped();
  }
  const result = await rollUnderTraffic(fleet, options.strategy);
  process.stdout.write(`${options.json ? jsonSummary(result) : humanSummary(result)}\n`);
  return result.counts.failed === 0 && result.rollout.status === "succeeded" ? 0 : 1;
}

async function rollUnderTraffic(fleet: Fleet, strategy: DemoArguments["strategy"]): Promise<DemoResult> {
  const { front } = fleet.edge();
  const traffic = await Traffic.start(fleet.yard, "clients", lightTraffic(front.target, ["v1", "v2"]));
  await traffic.more(STEADY_REQUESTS);
  const request = { version: V2.version, ...(strategy === undefined ? {} : { strategy }) };
  const { id } = await fleet.roll(request);
  const rollout = await follow(fleet.api, id, say);
  await traffic.more(STEADY_REQUESTS);
  const counts = await traffic.stop();
  for (const line of batchLines(rollout)) say(line);
  if (counts.failed > 0) say(describeFailures(counts));
  return { counts, rollout, from: V1.version };
}

function showKept(fleet: Fleet, releases: readonly NamedRelease[], json: boolean): void {
  const { url, token } = fleet.api;
  const edge = fleet.edge().front.url;
  const kept = {
    api: url,
    token,
    edge,
    dashboard: `${url}/`,
    service: SERVICE,
    versions: releases.map(({ version }) => version),
  };
  if (json) {
    process.stdout.write(`${JSON.stringify(kept)}\n`);
    return;
  }
  process.stdout.write(`the service   curl -i ${edge}/
the fleet     curl -H 'Authorization: Bearer ${token}' ${url}/v1/fleet
a rollout     curl -H 'Authorization: Bearer ${token}' -H 'Content-Type: application/json' -d '{"version":"v2"}' ${url}/v1/services/${SERVICE}/rollouts
releases      ${kept.versions.join(", ")}
Ctrl-C ends it all.
`);
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
