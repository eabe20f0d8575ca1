import type { HostId, Version } from "@siding/shared/ids";
import { RestartBody, RolloutBody } from "@siding/shared/rest";
import { SpecInput } from "@siding/shared/spec";
import type { Random } from "../random.ts";
import { releasesOf, versions } from "./generate-releases.ts";
import type { MoveWish, PersonPlan, RestartWish, ServicePlan } from "./scenario.ts";

export interface ServiceOptions {
  readonly name: string;
  readonly port: number;
  readonly hosts: readonly HostId[];
  readonly faults: boolean;
  readonly healAtMs: number;
}

/** A service from a seed: its spec, how its releases behave, and what its person wants. */
export function serviceOf(random: Random, options: ServiceOptions): ServicePlan {
  const { hosts, faults, healAtMs } = options;
  const inPlace = random.chance(0.3);
  const usual = specOf(random, options, inPlace);
  const written: Written = faults ? { ...usual, ...programsOf(random.fork("extras"), usual) } : usual;
  return {
    spec: SpecInput.parse(written),
    written,
    releases: releasesOf(random, hosts, faults),
    wishes: [
      ...movesOf(random, { written, inPlace, hosts: hosts.length, faults }),
      ...(faults ? restartsOf(random.fork("restarts"), hosts) : []),
    ],
    person: personOf(random, healAtMs, faults),
  };
}

type Usual = ReturnType<typeof specOf>;
type Written = Omit<Usual, "health"> & { readonly health: object; readonly hooks?: object };

function specOf(random: Random, { name, port, hosts }: ServiceOptions, inPlace: boolean) {
  return {
    name,
    hosts: { match: { role: "web" } },
    run: { command: ["./service"], stopGrace: `${random.pick([2, 10, 20])}s` },
    port,
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
    capacity: {
      minServing: minServingOf(random, hosts.length, inPlace),
      ...(random.chance(0.2) ? { loadCeiling: random.pick(["70%", "90%"]) } : {}),
    },
    edge: { match: { role: "edge" } },
    strategy: { kind: "rolling" as const },
    onFailure: random.pick(["rollback", "rollback", "pause", "stop"] as const),
  };
}

const hookNames = ["beforeDrain", "beforeUpdate", "afterUpdate", "beforeRejoin", "beforeRollout"] as const;

/** Some have programs of the user's around their steps, and some are judged by one. */
function programsOf(random: Random, { health }: Usual) {
  const { http: _, ...pace } = health;
  const hooks = random.chance(0.05) ? random.sample(hookNames, random.int(1, 3)) : [];
  const hook = () => ({ command: ["./hook"], timeout: "20s", idempotent: random.chance(0.3) });
  const isCommand = random.chance(0.05);
  return {
    hooks: Object.fromEntries(hooks.map((name) => [name, hook()])),
    health: isCommand ? { command: ["./check"], ...pace } : health,
  };
}

function minServingOf(random: Random, hosts: number, inPlace: boolean): string | number {
  const tight = random.chance(0.1);
  if (inPlace) return random.pick(["20%", "33%", 1, tight ? "50%" : "40%"]);
  const counts = [1, Math.ceil(hosts / 2), tight ? hosts - 1 : "80%", tight ? "100%" : 2];
  return random.pick(["50%", "60%", "67%", "75%", ...counts]);
}

interface Wanting {
  readonly written: Written;
  readonly inPlace: boolean;
  readonly hosts: number;
  readonly faults: boolean;
}

/** First deployment, upgrade, and perhaps others: of another release, of the spec alone, or back. */
function movesOf(random: Random, wanting: Wanting): readonly MoveWish[] {
  const { faults } = wanting;
  const kinds: MoveWish["kind"][] = ["release", "release"];
  if (faults && random.chance(0.5)) kinds.push(random.pick(["release", "spec", "undo"] as const));
  return kinds.map((kind, index) => {
    const version = versions[index] ?? ("v1" as Version);
    const isEager = faults && index > 0 && random.chance(0.25);
    const changes = kind === "spec" || (faults && index > 0 && random.chance(0.1));
    return {
      kind,
      version,
      body: bodyOf(random, wanting, kind === "release" ? version : null, isEager),
      declares: changes ? declared(random, wanting.written, index) : null,
      isEager,
    };
  });
}

/** Afterwards some are restarted once or twice: all that serve, or a few by name. */
function restartsOf(random: Random, hosts: readonly HostId[]): readonly RestartWish[] {
  if (!random.chance(0.25)) return [];
  return Array.from({ length: random.int(1, 2) }, () => {
    const isEager = random.chance(0.3);
    const body = RestartBody.parse({
      ...(random.chance(0.5) ? { hosts: random.sample(hosts, random.int(1, 2)) } : {}),
      ...(isEager ? { queue: true } : {}),
      maxFailures: random.pick([0, 0, 1, "30%"]),
      verifyHold: random.pick(["0", "0", "3s"]),
      bakeTime: random.pick(["0", "0", "2s"]),
    });
    return { kind: "restart", body, isEager };
  });
}

/** Another spec: what is rolled out with the next target, and what counts at once. */
function declared(random: Random, before: Written, index: number): MoveWish["declares"] {
  const written = {
    ...before,
    run: { ...before.run, env: { REVISION: `${index}` } },
    ...(random.chance(0.3) ? { capacity: { minServing: random.pick(["50%", 1]) } } : {}),
    edge: { ...before.edge, balance: random.pick(["round-robin", "least-conn"] as const) },
  };
  return { spec: SpecInput.parse(written), written };
}

function bodyOf(random: Random, { inPlace, hosts }: Wanting, version: Version | null, queue: boolean) {
  return RolloutBody.parse({
    ...(version ? { version } : {}),
    ...(queue ? { queue } : {}),
    strategy: strategyOf(random, inPlace, hosts),
    maxFailures: random.pick([0, 0, 0, 1, 2, "10%", "30%"]),
    onFailure: random.pick(["rollback", "rollback", "pause", "stop"]),
    verifyHold: random.pick(["0", "0", "3s", "20s"]),
    bakeTime: random.pick(["0", "0", "2s", "15s"]),
  });
}

function strategyOf(random: Random, inPlace: boolean, hosts: number) {
  const amount = () => random.pick([1, 2, 3, Math.ceil(hosts / 3), "25%", "34%", "50%"]);
  if (inPlace) return { kind: "in-place" as const };
  if (random.chance(0.06)) return { kind: "all-at-once" as const, allowDowntime: true };
  return {
    kind: "rolling" as const,
    ...(random.chance(0.8) ? { batchSize: amount() } : {}),
    ...(random.chance(0.4) ? { maxUnavailable: amount() } : {}),
    ...(random.chance(0.3) ? { spread: "zone" } : {}),
    ...(random.chance(0.04) ? { allowDowntime: true } : {}),
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
