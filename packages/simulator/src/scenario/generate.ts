import type { HostId, Version } from "@siding/shared/ids";
import { RolloutBody } from "@siding/shared/rest";
import { SpecInput } from "@siding/shared/spec";
import { Random } from "../random.ts";
import { faultsOf } from "./generate-faults.ts";
import { releasesOf, versions } from "./generate-releases.ts";
import type { EdgePlan, NetworkWeather, PersonPlan, Scenario, TrafficPlan, Wish } from "./scenario.ts";

export interface ScenarioOptions {
  /** Null: 4 to 20, by the seed. */
  readonly hosts: number | null;
  /** False: nothing goes wrong. */
  readonly faults: boolean;
}

const fewestHosts = 4;
const mostHosts = 20;

/** A scenario from a seed: equal seeds and options give equal scenarios. */
export function scenarioOf(seed: number, options: ScenarioOptions): Scenario {
  const random = new Random(seed).fork("scenario");
  const count = options.hosts ?? random.int(fewestHosts, mostHosts);
  const hosts = Array.from({ length: count }, (_, index) => `h${index + 1}` as HostId);
  const inPlace = random.chance(0.3);
  const edges = edgesOf(random, inPlace, options.faults);
  const written = specOf(random, count, inPlace);
  const healAtMs = options.faults ? random.spread(90_000, 600_000) : 1_000;
  const draft = {
    seed,
    hosts,
    edges,
    beatIntervalMs: 10_000,
    spec: SpecInput.parse(written),
    written,
    releases: releasesOf(random, hosts, options.faults),
    wishes: wishesOf(random, inPlace, count, options.faults),
    weather: options.faults ? weatherOf(random) : fairWeather,
    traffic: trafficOf(random, hosts, options.faults),
    person: personOf(random, healAtMs, options.faults),
    healAtMs,
  };
  return { ...draft, faults: options.faults ? faultsOf(random, draft) : [] };
}

/** A second edge may come to life while a rollout is under way. */
function edgesOf(random: Random, inPlace: boolean, faults: boolean): readonly EdgePlan[] {
  const first: EdgePlan = { hostId: "e1" as HostId, bornAtMs: 0 };
  if (random.chance(inPlace ? 0.5 : 0.4)) return [first];
  const late = faults && random.chance(0.3);
  return [first, { hostId: "e2" as HostId, bornAtMs: late ? random.int(5_000, 120_000) : 0 }];
}

function specOf(random: Random, hosts: number, inPlace: boolean) {
  const tight = random.chance(0.1);
  const minServing = inPlace
    ? random.pick(["20%", "33%", 1, tight ? "50%" : "40%"])
    : random.pick([
        "50%",
        "60%",
        "67%",
        "75%",
        1,
        Math.ceil(hosts / 2),
        tight ? hosts - 1 : "80%",
        tight ? "100%" : 2,
      ]);
  return {
    name: "web",
    hosts: { match: { role: "web" } },
    run: { command: ["./service"], stopGrace: `${random.pick([2, 10, 20])}s` },
    port: 8080,
    health: {
      http: "/healthz",
      interval: `${random.pick([2_000, 5_000, 10_000])}ms`,
      timeout: "1s",
      rise: random.int(1, 2),
      grace: `${random.pick([15, 30])}s`,
    },
    drain: {
      deadline: `${random.pick([1, 5, 15, 30])}s`,
      onDeadline: random.pick(["proceed", "proceed", "fail"] as const),
      others: random.pick(["ignore", "ignore", "wait"] as const),
    },
    capacity: { minServing },
    edge: { match: { role: "edge" } },
    strategy: { kind: "rolling" as const },
    onFailure: random.pick(["rollback", "rollback", "pause", "stop"] as const),
  };
}

/** First deployment, upgrade, and perhaps another; the last one is always of a sound release. */
function wishesOf(random: Random, inPlace: boolean, hosts: number, faults: boolean): readonly Wish[] {
  const count = faults ? random.int(2, versions.length) : 2;
  return versions.slice(0, count).map((version, index) => {
    const sound = index === count - 1 ? (`${version}` as Version) : version;
    return { version: sound, body: bodyOf(random, inPlace, hosts, sound) };
  });
}

function bodyOf(random: Random, inPlace: boolean, hosts: number, version: Version) {
  const amount = () => random.pick([1, 2, 3, Math.ceil(hosts / 3), "25%", "34%", "50%"]);
  const strategy = inPlace
    ? { kind: "in-place" as const }
    : {
        kind: "rolling" as const,
        ...(random.chance(0.8) ? { batchSize: amount() } : {}),
        ...(random.chance(0.4) ? { maxUnavailable: amount() } : {}),
      };
  return RolloutBody.parse({
    version,
    strategy,
    maxFailures: random.pick([0, 0, 0, 1, 2, "10%", "30%"]),
    onFailure: random.pick(["rollback", "rollback", "pause", "stop"]),
    verifyHold: random.pick(["0", "0", "3s", "20s"]),
    bakeTime: random.pick(["0", "0", "2s", "15s"]),
  });
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

function personOf(random: Random, healAtMs: number, faults: boolean): PersonPlan {
  const meddles = faults && random.chance(0.4);
  const verbs = ["pause", "resume", "resume", "promote", "promote", "abort", "rollback"] as const;
  const says = Array.from({ length: meddles ? random.int(1, 5) : 0 }, () => ({
    atMs: random.int(5_000, healAtMs),
    verb: random.pick(verbs),
  }));
  return {
    says,
    patienceMs: random.pick([2_000, 15_000, 60_000]),
    resumes: random.int(0, 2),
    ending: random.pick(["abort", "rollback"] as const),
  };
}
