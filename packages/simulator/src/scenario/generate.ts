import type { HostId } from "@siding/shared/ids";
import { Random } from "../random.ts";
import { deedsOf } from "./generate-deeds.ts";
import { faultsOf } from "./generate-faults.ts";
import { serviceOf } from "./generate-service.ts";
import type { AgentPlan, HostPlan, NetworkWeather, Scenario, TrafficPlan } from "./scenario.ts";

export interface ScenarioOptions {
  /** Null: 4 to 20, by the seed. */
  readonly hosts: number | null;
  /** False: nothing goes wrong. */
  readonly faults: boolean;
}

const fewestHosts = 4;
const mostHosts = 20;
/** A second service doubles the work: those fleets are small. */
const mostHostsOfTwo = 8;

/** A scenario from a seed: equal seeds and options give equal scenarios. */
export function scenarioOf(seed: number, options: ScenarioOptions): Scenario {
  const random = new Random(seed).fork("scenario");
  const { faults } = options;
  const two = faults && random.chance(0.15);
  const count = options.hosts ?? random.int(fewestHosts, two ? mostHostsOfTwo : mostHosts);
  const hosts = hostsOf(random, count, faults);
  const edges = edgesOf(random, faults);
  const healAtMs = faults ? random.spread(90_000, 600_000) : 1_000;
  const common = { hosts: hosts.map(({ hostId }) => hostId), faults, healAtMs };
  const names = two ? ["web", "api"] : ["web"];
  const draft = {
    seed,
    hosts,
    edges,
    beatIntervalMs: 10_000,
    services: names.map((name, index) =>
      serviceOf(random.fork(name), { ...common, name, port: 8080 + index }),
    ),
    deeds: faults ? deedsOf(random, { hosts, edges, healAtMs }) : [],
    weather: faults ? weatherOf(random) : fairWeather,
    traffic: trafficOf(random, common.hosts, faults),
    healAtMs,
    roundMs: 0,
  };
  return { ...draft, faults: faults ? faultsOf(random, draft) : [] };
}

/** Some come into the fleet while rollouts are under way, or after them. */
function hostsOf(random: Random, count: number, faults: boolean): readonly HostPlan[] {
  const late = faults && random.chance(0.35) ? random.int(1, Math.max(1, Math.floor(count / 4))) : 0;
  const busy = random.chance(0.7) ? random.pick([0.2, 0.5, 0.65]) : null;
  return Array.from({ length: count }, (_, index) => ({
    hostId: `h${index + 1}` as HostId,
    bornAtMs: index >= count - late ? random.int(5_000, 240_000) : 0,
    zone: `z${random.int(1, 3)}`,
    load: busy,
  }));
}

/** A second edge may come to life while a rollout is under way. */
function edgesOf(random: Random, faults: boolean): readonly AgentPlan[] {
  const first: AgentPlan = { hostId: "e1" as HostId, bornAtMs: 0 };
  if (random.chance(0.4)) return [first];
  const late = faults && random.chance(0.3);
  const second = { hostId: "e2" as HostId, bornAtMs: late ? random.int(5_000, 120_000) : 0 };
  return random.chance(0.15) ? [first, second, { hostId: "e3" as HostId, bornAtMs: 0 }] : [first, second];
}

const fairWeather: NetworkWeather = { longestDelayMs: 5, loss: 0, duplication: 0, reordering: 0 };

function weatherOf(random: Random): NetworkWeather {
  return {
    longestDelayMs: random.pick([2, 20, 200, 1_000]),
    loss: random.pick([0, 0, 0.01, 0.05, 0.2]),
    duplication: random.pick([0, 0, 0.02, 0.2]),
    reordering: random.pick([0, 0, 0.02, 0.2]),
  };
}

function trafficOf(random: Random, hosts: readonly HostId[], faults: boolean): TrafficPlan {
  return {
    longestRequestMs: random.pick([50, 500, 3_000]),
    endless: faults && random.chance(0.2) ? random.sample(hosts, random.int(1, 2)) : [],
    stranger: faults && random.chance(0.2),
  };
}
