import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import type { RolloutDocument } from "@siding/shared/rest";
import type { SpecInput } from "@siding/shared/spec";
import { freePort } from "../processes/free-port.ts";
import type { Yard } from "../processes/yard.ts";
import { type NamedRelease, packRelease } from "../service/releases.ts";
import { until } from "../until.ts";
import { Agent, type AgentOptions, type EdgeMode } from "./agent.ts";
import type { Api } from "./api.ts";
import { ControlPlane } from "./control-plane.ts";
import type { FickleRelay } from "./fickle-relay.ts";
import { Front } from "./front.ts";
import { finished } from "./rollouts.ts";
import { type RolloutRequest, SERVICE, serviceSpec } from "./service-spec.ts";

/** Nodes starting side by side on a busy machine. */
const AGENTS_DEADLINE_MS = 20_000;

/** The first deployment, all hosts at once. */
const DEPLOYED_DEADLINE_MS = 30_000;

export type FleetOptions = {
  readonly hosts: number;
  readonly edges: number;
  /** Registered with the service. The first is deployed and serves, unless there is none. */
  readonly releases: readonly NamedRelease[];
  /** How the edges work, all or each; left out, with an inner nginx. */
  readonly edgeMode?: EdgeMode | readonly EdgeMode[];
  /** Other than the playground's usual spec. */
  readonly spec?: Partial<SpecInput>;
  /** Program and arguments of another build of the agents; left out, the one of this checkout. */
  readonly agentBuild?: readonly string[];
  /** Of the agents; `10s` where left out. */
  readonly beatInterval?: string;
  /** The agents' way to the control plane's HTTP. */
  readonly relay?: FickleRelay;
  /** For the control plane's Node; they may name files of the yard. */
  readonly nodeArgs?: (yard: Yard) => readonly string[];
};

/** One edge: its agent, and the user's nginx before it. */
export type Edge = { readonly agent: Agent; readonly front: Front };

/**
 * A whole Siding of real processes on this machine: control plane with NATS, agents with services, edges each behind
 * a front of its own. Every host is an address of its own (127.0.1.n) with the same ports.
 */
export class Fleet {
  readonly yard: Yard;
  readonly controlPlane: ControlPlane;
  readonly hosts: readonly Agent[];
  readonly edges: readonly Edge[];
  readonly ports: { readonly blue: number; readonly green: number };

  constructor(yard: Yard, parts: Pick<Fleet, "controlPlane" | "hosts" | "edges" | "ports">) {
    this.yard = yard;
    this.controlPlane = parts.controlPlane;
    this.hosts = parts.hosts;
    this.edges = parts.edges;
    this.ports = parts.ports;
  }

  get api(): Api {
    return this.controlPlane.api;
  }

  /** The nth edge, from 0. */
  edge(index = 0): Edge {
    const edge = this.edges[index];
    if (edge === undefined) throw new Error(`there is no edge ${index} of ${this.edges.length}`);
    return edge;
  }

  host(hostId: string): Agent {
    const host = this.hosts.find((agent) => agent.hostId === hostId);
    if (host === undefined) throw new Error(`there is no host ${hostId}`);
    return host;
  }

  /** Starts a rollout of the playground's service. */
  roll(request: RolloutRequest): Promise<RolloutDocument> {
    return this.api.rollout(SERVICE, request);
  }

  /** Packs, uploads and registers a release. */
  async register(release: NamedRelease, ballast?: Buffer): Promise<void> {
    const { digest } = await this.api.upload(packRelease(release, ballast));
    await this.api.release(SERVICE, release.version, digest);
  }
}

/** Starts a fleet in a yard, whose closing ends it. It is up when the first release serves through every front. */
export async function startFleet(yard: Yard, options: FleetOptions): Promise<Fleet> {
  const hostIds = ids("h", options.hosts, "127.0.1");
  const edgeIds = ids("e", options.edges, "127.0.2");
  const tokens = writeTokens(yard, [...hostIds, ...edgeIds]);
  const addresses = hostIds.map(({ address }) => address);
  const ports = { blue: await freePort(addresses), green: await freePort(addresses) };
  const controlPlane = new ControlPlane(yard, {
    httpPort: await freePort(["127.0.0.1"]),
    natsPort: await freePort(["127.0.0.1"]),
    hosts: tokens,
    nodeArgs: options.nodeArgs?.(yard) ?? [],
  });
  await controlPlane.start();
  const common = await commonOptions(yard, controlPlane, options);
  const hosts = hostIds.map((id) => startAgent(yard, common, { ...id, role: "host" }));
  const { edgeMode = "inner" } = options;
  const modeOf = (index: number) => (typeof edgeMode === "string" ? edgeMode : (edgeMode[index] ?? "inner"));
  const edgeAgents = await Promise.all(
    edgeIds.map(async (id, index) =>
      startAgent(yard, common, { ...id, ...(await edgeOptions(yard, id, modeOf(index))) }),
    ),
  );
  yard.beforeClose("ending what the agents started", () => teardown([...hosts, ...edgeAgents]));

  await controlPlane.api.declare(SERVICE, serviceSpec(ports, options.spec));
  const [fronts] = await Promise.all([
    Promise.all(edgeAgents.map((agent, index) => startFront(yard, agent, modeOf(index)))),
    waitForAgents(controlPlane.api, hosts.length, edgeAgents.length),
  ]);
  const edges = edgeAgents.map((agent, index) => edgeOf(agent, fronts[index]));
  const fleet = new Fleet(yard, { controlPlane, hosts, edges, ports });
  await deployFirst(fleet, options.releases);
  return fleet;
}

type HostIdentity = { readonly hostId: string; readonly address: string };

function ids(prefix: string, count: number, network: string): HostIdentity[] {
  return Array.from({ length: count }, (_, index) => ({
    hostId: `${prefix}${index + 1}`,
    address: `${network}.${index + 1}`,
  }));
}

function tokenFile(yard: Yard, hostId: string): string {
  return yard.path("tokens", hostId);
}

function writeTokens(yard: Yard, hosts: readonly HostIdentity[]): { id: string; tokenFile: string }[] {
  mkdirSync(yard.path("tokens"));
  return hosts.map(({ hostId }) => {
    const file = tokenFile(yard, hostId);
    writeFileSync(file, `${randomBytes(24).toString("base64url")}\n`, { mode: 0o600 });
    return { id: hostId, tokenFile: file };
  });
}

type CommonOptions = Pick<AgentOptions, "natsUrl" | "controlPlaneUrl" | "build" | "beatInterval">;

/** What all agents are, and where they find the control plane. */
async function commonOptions(
  yard: Yard,
  { httpUrl, natsUrl }: ControlPlane,
  { relay, agentBuild, beatInterval }: FleetOptions,
): Promise<CommonOptions> {
  const common = {
    natsUrl,
    ...(agentBuild === undefined ? {} : { build: agentBuild }),
    ...(beatInterval === undefined ? {} : { beatInterval }),
  };
  if (relay === undefined) return { ...common, controlPlaneUrl: httpUrl };
  yard.beforeClose("closing the relay", () => relay.close());
  return { ...common, controlPlaneUrl: await relay.open(httpUrl) };
}

function startAgent(
  yard: Yard,
  common: CommonOptions,
  identity: HostIdentity & Pick<AgentOptions, "role" | "userNginx">,
): Agent {
  const agent = new Agent(yard, { ...identity, ...common, tokenFile: tokenFile(yard, identity.hostId) });
  agent.start();
  return agent;
}

function frontName(hostId: string): string {
  return `front-${hostId}`;
}

async function edgeOptions(
  yard: Yard,
  { hostId }: HostIdentity,
  mode: EdgeMode,
): Promise<Pick<AgentOptions, "role" | "userNginx">> {
  if (mode === "inner") return { role: "edge" };
  const statusPort = await freePort(["127.0.0.1"]);
  return { role: "edge", userNginx: { folder: yard.path(frontName(hostId)), statusPort } };
}

function startFront(yard: Yard, edge: Agent, mode: EdgeMode): Promise<Front> {
  return Front.start(yard, frontName(edge.hostId), { includeDir: edge.includeDir, upstream: SERVICE, mode });
}

function edgeOf(agent: Agent, front: Front | undefined): Edge {
  if (front === undefined) throw new Error(`no front for ${agent.hostId}`);
  return { agent, front };
}

async function waitForAgents(api: Api, hosts: number, edges: number): Promise<void> {
  await until(
    `${hosts} hosts and ${edges} edges to be alive`,
    async () => {
      const alive = (await api.hosts()).filter(({ liveness }) => liveness === "alive");
      const serving = (await api.edges()).filter(({ liveness }) => liveness === "alive");
      return alive.length === hosts + edges && serving.length === edges;
    },
    AGENTS_DEADLINE_MS,
  );
}

async function deployFirst(fleet: Fleet, releases: readonly NamedRelease[]): Promise<void> {
  await Promise.all(releases.map((release) => fleet.register(release)));
  const [first] = releases;
  if (first === undefined) return;
  // Nothing serves yet, so nothing can be lost by going everywhere at once.
  const request: RolloutRequest = {
    version: first.version,
    strategy: { kind: "rolling", batchSize: "100%" },
  };
  const rollout = await fleet.roll(request);
  await finished(fleet.api, rollout.id, "succeeded", DEPLOYED_DEADLINE_MS);
}

async function teardown(agents: readonly Agent[]): Promise<void> {
  const ends = await Promise.allSettled(agents.map((agent) => agent.teardown()));
  const failed = ends.filter((end) => end.status === "rejected").map((end) => String(end.reason));
  if (failed.length > 0) throw new Error(failed.join("\n"));
}
