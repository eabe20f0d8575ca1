import type { RolloutDocument } from "@siding/shared/rest";
import { afterAll, beforeAll, beforeEach, expect, onTestFailed } from "vitest";
import type { Target } from "../clients/connection.ts";
import { describeFailures } from "../clients/counts.ts";
import { lightTraffic } from "../clients/mix.ts";
import { Traffic } from "../clients/traffic.ts";
import { type Fleet, type FleetOptions, startFleet } from "../fleet/fleet.ts";
import { finished } from "../fleet/rollouts.ts";
import type { RolloutRequest } from "../fleet/service-spec.ts";
import { Yard } from "../processes/yard.ts";

/** Above every rollout here; where it is reached, the error says what the rollout waits for. */
export const ROLLOUT_DEADLINE_MS = 60_000;

/** Traffic before and after what is tested. */
const STEADY_REQUESTS = 100;

const SHOWN_LOG_LINES = 20;

/** One fleet for all tests of a file; it must have left nothing when they are over. */
export function useFleet(options: FleetOptions): () => Fleet {
  let yard: Yard;
  let fleet: Fleet;
  beforeAll(async () => {
    yard = new Yard();
    fleet = await startFleet(yard, options).catch((error: unknown) => {
      showLogs(yard);
      throw error;
    });
  });
  beforeEach(() => onTestFailed(() => showLogs(yard)));
  afterAll(async () => {
    const complaints = await yard.close();
    if (complaints.length > 0) throw new Error(`not in order at the end:\n${complaints.join("\n")}`);
  });
  return () => fleet;
}

/**
 * Does something under strict traffic through every edge. Fails where a single request is lost.
 *
 * @param versions releases that may answer; one that must never serve is left out
 */
export async function expectNothingLost<T>(
  fleet: Fleet,
  versions: readonly string[],
  action: () => Promise<T>,
): Promise<T> {
  const targets = fleet.edges.map(({ agent, front }) => [agent.hostId, front.target] as const);
  return expectNothingLostAt(fleet.yard, targets, versions, action);
}

/** The same at any addresses, each with a name. */
export async function expectNothingLostAt<T>(
  yard: Yard,
  targets: readonly (readonly [name: string, target: Target])[],
  versions: readonly string[],
  action: () => Promise<T>,
): Promise<T> {
  const traffics = await Promise.all(
    targets.map(([name, target]) => Traffic.start(yard, `clients-${name}`, lightTraffic(target, versions))),
  );
  const steady = () => Promise.all(traffics.map((traffic) => traffic.more(STEADY_REQUESTS)));
  const [outcome] = await Promise.allSettled([
    steady()
      .then(action)
      .then(async (result) => {
        await steady();
        return result;
      }),
  ]);
  const counts = await Promise.all(traffics.map((traffic) => traffic.stop()));
  if (outcome.status === "rejected") throw outcome.reason;
  for (const count of counts) expect(count.failed, describeFailures(count)).toBe(0);
  return outcome.value;
}

/** Rolls to a version under traffic, and expects it to end well. */
export async function expectRolled(
  fleet: Fleet,
  versions: readonly string[],
  request: RolloutRequest,
): Promise<RolloutDocument> {
  return expectNothingLost(fleet, versions, async () => {
    const { id } = await fleet.roll(request);
    return finished(fleet.api, id, "succeeded", ROLLOUT_DEADLINE_MS);
  });
}

/** The version that each host of the service is said to run, and that each front is answered by. */
export async function servingVersions(fleet: Fleet): Promise<readonly string[]> {
  const hosts = await fleet.api.hosts();
  return hosts
    .filter(({ roles }) => roles.includes("host"))
    .flatMap(({ instances }) => instances.filter(({ listed }) => listed))
    .map(({ version }) => version ?? "none");
}

function showLogs(yard: Yard): void {
  process.stderr.write(`${yard.logTails(SHOWN_LOG_LINES)}\n`);
}
