import type { Target } from "./connection.ts";
import type { TrafficPlan } from "./plan.ts";

/** Far above every answer that is on its way: what takes longer is lost. */
const TIMEOUT_MS = 10_000;

/** Some 200 requests a second: enough to notice a gap of milliseconds, not so many that they are what takes time. */
const LIGHT: TrafficPlan["groups"] = [
  { kind: "keep-alive", clients: 10, thinkMs: 60 },
  { kind: "close", clients: 3, thinkMs: 60 },
  { kind: "post", clients: 3, thinkMs: 60 },
  { kind: "slow-upload", clients: 3, thinkMs: 100 },
];

/** An answer in the middle of 5 to 25 ms, and the thinking, without a network. */
const HEAVY_CYCLE_MS = 23;

/** Some 3,000 requests a second, which leaves two cores room to deploy. */
const HEAVY: TrafficPlan["groups"] = [
  { kind: "keep-alive", clients: 60, thinkMs: 8 },
  { kind: "close", clients: 12, thinkMs: 8 },
  { kind: "post", clients: 12, thinkMs: 8 },
  { kind: "slow-upload", clients: 12, thinkMs: 50 },
];

/** Strict clients of every kind against a target, until they are stopped. */
export function lightTraffic(target: Target, versions: readonly string[]): TrafficPlan {
  return { target, versions: [...versions], timeoutMs: TIMEOUT_MS, limit: null, groups: LIGHT };
}

/**
 * The same kinds in a crowd, for so many requests.
 *
 * @param roundTripMs of the network between: clients wait for it, so it takes more of them for the same rate
 */
export function heavyTraffic(
  target: Target,
  versions: readonly string[],
  limit: number,
  roundTripMs: number,
): TrafficPlan {
  const times = 1 + roundTripMs / HEAVY_CYCLE_MS;
  const groups = HEAVY.map((group) => ({ ...group, clients: Math.round(group.clients * times) }));
  return { target, versions: [...versions], timeoutMs: TIMEOUT_MS, limit, groups };
}
