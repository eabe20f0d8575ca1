import type { HostId, ServiceName } from "@siding/shared/ids";
import type { Random } from "../random.ts";
import { controlPlaneParty, type Fault, killPoints, type Party } from "./fault.ts";
import type { Scenario } from "./scenario.ts";

type Draft = Omit<Scenario, "faults">;
type Make = (random: Random, draft: Draft, atMs: number) => Fault;

/** Outages from a blink to longer than any deadline of an edge. */
const shortestMs = 200;
const longestMs = 300_000;
const mostFaults = 14;
const dayMs = 86_400_000;

/** What goes wrong in one run: a few kinds of trouble, each perhaps more than once. */
export function faultsOf(random: Random, draft: Draft): readonly Fault[] {
  const count = random.int(0, mostFaults);
  const kinds = random.sample(makers, random.int(1, makers.length));
  const faults = Array.from({ length: count }, () => {
    const atMs = random.int(1_000, draft.healAtMs);
    return random.pick(kinds)(random, draft, atMs);
  });
  const rare = rareFaultsOf(random, draft);
  const isRestored = rare.some(({ kind }) => kind === "ledger-restored");
  return [...faults, ...rare, ...(isRestored ? [] : restoresOf(random.fork("go-on"), draft))];
}

/** What happens once in years, and then to one who remembers nothing of this page. */
function rareFaultsOf(random: Random, draft: Draft): readonly Fault[] {
  const atMs = random.int(10_000, draft.healAtMs);
  if (random.chance(0.08) && draft.services.length === 1) {
    const share = random.share();
    return [{ kind: "ledger-restored", atMs, share, forMs: random.spread(50, 60_000), goOnAfterMs: null }];
  }
  if (!random.chance(0.06)) return [];
  return [{ kind: "host-cloned", atMs, hostId: anyHost(random, draft), forMs: random.int(30_000, 300_000) }];
}

/** A backup is restored, and a person looks and says go on; or two services have one ledger, and go on each by itself. */
function restoresOf(random: Random, { services, healAtMs }: Draft): readonly Fault[] {
  const isShared = services.length > 1;
  if (!random.chance(isShared ? 0.3 : 0.05)) return [];
  const goOnAfterMs = isShared && random.chance(0.5) ? null : random.spread(1, 120_000);
  const atMs = random.int(10_000, healAtMs);
  const forMs = random.spread(50, 60_000);
  return [{ kind: "ledger-restored", atMs, share: random.share(), forMs, goOnAfterMs }];
}

const makers: readonly Make[] = [
  (random, draft, atMs) => dying("agent-killed", random, anyAgent(random, draft), atMs),
  (random, draft, atMs) => dying("agent-killed", random, anyHost(random, draft), atMs),
  (random, draft, atMs) => dying("agent-killed", random, anyEdge(random, draft), atMs),
  (random, draft, atMs) => dying("power-cut", random, anyAgent(random, draft), atMs),
  (random, draft, atMs) => ({
    kind: "service-ends",
    atMs,
    hostId: anyHost(random, draft),
    service: anyService(random, draft),
  }),
  (random, draft, atMs) => ({
    kind: "service-sick",
    atMs,
    hostId: anyHost(random, draft),
    service: anyService(random, draft),
    forMs: random.spread(1_000, 60_000),
  }),
  (random, draft, atMs) => ({
    kind: "link-cut",
    atMs,
    parties: cutOff(random, draft),
    noticed: random.chance(0.5),
    forMs: outageMs(random),
  }),
  (random, draft, atMs) => ({
    kind: "path-cut",
    atMs,
    edgeId: anyEdge(random, draft),
    hostId: anyHost(random, draft),
    forMs: outageMs(random),
  }),
  (random, draft, atMs) => ({
    kind: random.pick(["nginx-refuses", "nginx-deaf"] as const),
    atMs,
    edgeId: anyEdge(random, draft),
    forMs: outageMs(random),
  }),
  (random, draft, atMs) => ({ kind: "nginx-master-killed", atMs, edgeId: anyEdge(random, draft) }),
  (random, draft, atMs) => ({
    kind: "staging-fails",
    atMs,
    hostId: anyHost(random, draft),
    retry: random.pick(["until-deadline", "few", "never"] as const),
    forMs: outageMs(random),
  }),
  (random, _draft, atMs) => ({ kind: "ledger-full", atMs, forMs: random.spread(100, 20_000) }),
  (random, draft, atMs) => ({ kind: "host-moved", atMs, hostId: anyHost(random, draft) }),
  (random, _draft, atMs) => ({ kind: "clock-set", atMs, byMs: random.pick([-dayMs, dayMs, dayMs]) }),
  (random) => ({
    kind: "control-plane-killed",
    commit: random.spread(3, 300),
    point: random.pick(killPoints),
    forMs: random.spread(50, 60_000),
    lasting: false,
  }),
];

function dying(kind: "agent-killed" | "power-cut", random: Random, hostId: HostId, atMs: number): Fault {
  return { kind, atMs, hostId, afterEffects: random.int(0, 12), forMs: outageMs(random) };
}

function outageMs(random: Random): number {
  return random.spread(shortestMs, longestMs);
}

function anyEdge(random: Random, { edges }: Draft): HostId {
  return random.pick(edges).hostId;
}

function anyHost(random: Random, { hosts }: Draft): HostId {
  return random.pick(hosts).hostId;
}

function anyService(random: Random, { services }: Draft): ServiceName {
  return random.pick(services).spec.name;
}

function anyAgent(random: Random, draft: Draft): HostId {
  return random.chance(0.3) ? anyEdge(random, draft) : anyHost(random, draft);
}

/** One agent, many, all of them, the control plane, or NATS itself. */
function cutOff(random: Random, { hosts: plans, edges }: Draft): readonly Party[] {
  const hosts = plans.map(({ hostId }) => hostId);
  const edgeIds = edges.map(({ hostId }) => hostId);
  return random.pick<readonly Party[]>([
    [random.pick(hosts)],
    [random.pick(edgeIds)],
    random.sample(hosts, random.int(2, hosts.length)),
    [...hosts, ...edgeIds],
    [controlPlaneParty],
    [controlPlaneParty, ...hosts, ...edgeIds],
  ]);
}
