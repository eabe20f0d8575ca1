import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { RolloutDocument } from "@siding/shared/rest";
import type { SpecInput } from "@siding/shared/spec";
import type { Target } from "../clients/connection.ts";
import type { EdgeMode } from "../fleet/agent.ts";
import { Api } from "../fleet/api.ts";
import { userHttp } from "../fleet/front.ts";
import { finished } from "../fleet/rollouts.ts";
import { type RolloutRequest, SERVICE, serviceSpec } from "../fleet/service-spec.ts";
import type { Yard } from "../processes/yard.ts";
import { type NamedRelease, packRelease } from "../service/releases.ts";
import { until } from "../until.ts";
import { command } from "./command.ts";
import { LabHost } from "./host.ts";
import { baseImage } from "./image.ts";
import { Network } from "./network.ts";

const PACKAGE_PROGRAM = join(import.meta.dirname, "../../../../scripts/package.ts");

const HTTP_PORT = 8600;
const NATS_PORT = 4222;
const INCLUDE_DIR = "/etc/siding/nginx";
/** Where the user's nginx listens. */
const FRONT_PORT = 8000;
/** Hosts have no port in common with anybody, so these need not be looked for. */
const SERVICE_PORTS = { blue: 8080, green: 8081 };

/** Everything of a busy machine with seven systemds on it takes its time; nothing is asserted about that. */
const PATIENCE_MS = 120_000;

export type LabOptions = {
  readonly hosts: number;
  readonly edges: number;
  /** Registered with the service; the first one is deployed. */
  readonly releases: readonly NamedRelease[];
  readonly spec?: Partial<SpecInput>;
  /** What the hosts' agents allow, as options of the installer. */
  readonly allow?: string;
};

/** A control plane, edges and hosts, each a machine of its own, and all set up by the installer. */
export class Lab {
  readonly yard: Yard;
  readonly network: Network;
  readonly controlPlane: LabHost;
  readonly edges: readonly LabHost[];
  readonly hosts: readonly LabHost[];
  readonly api: Api;

  constructor(parts: Pick<Lab, "yard" | "network" | "controlPlane" | "edges" | "hosts" | "api">) {
    this.yard = parts.yard;
    this.network = parts.network;
    this.controlPlane = parts.controlPlane;
    this.edges = parts.edges;
    this.hosts = parts.hosts;
    this.api = parts.api;
  }

  get machines(): readonly LabHost[] {
    return [this.controlPlane, ...this.edges, ...this.hosts];
  }

  machine(name: string): LabHost {
    const found = this.machines.find((each) => each.name === name);
    if (found === undefined) throw new Error(`there is no machine ${name} in the lab`);
    return found;
  }

  /** Where strict clients ask. */
  front(edge: LabHost): Target {
    return { address: edge.address, port: FRONT_PORT };
  }

  /** Packs, uploads and registers a release. */
  async register(release: NamedRelease, ballast?: Buffer): Promise<void> {
    const { digest } = await this.api.upload(packRelease(release, ballast));
    await this.api.release(SERVICE, release.version, digest);
  }

  roll(request: RolloutRequest): Promise<RolloutDocument> {
    return this.api.rollout(SERVICE, request);
  }

  /** What answers on a host itself, past every edge; null where nothing does. */
  async answering(host: LabHost, port: number = SERVICE_PORTS.blue): Promise<string | null> {
    const answer = await fetch(`http://${host.address}:${port}/`, {
      signal: AbortSignal.timeout(2_000),
    }).catch(() => null);
    await answer?.text();
    return answer?.headers.get("x-version") ?? null;
  }

  async allAlive(): Promise<void> {
    const wanted = this.hosts.length + this.edges.length;
    await until(
      "every agent to be alive",
      async () => (await this.api.hosts()).filter(({ liveness }) => liveness === "alive").length === wanted,
      PATIENCE_MS,
    );
  }
}

/** Makes a lab in a yard, whose closing removes it. It is up when the first release serves through every edge. */
export async function startLab(yard: Yard, options: LabOptions): Promise<Lab> {
  const say = (line: string) => void process.stderr.write(`lab: ${line}\n`);
  const [image, shared] = await Promise.all([baseImage(say), unpackedRelease(yard)]);
  const network = await Network.make();
  yard.beforeClose("removing the lab's network", () => network.remove());
  const name = (prefix: string) => (_: unknown, index: number) => `${prefix}${index + 1}`;
  const hostNames = Array.from({ length: options.hosts }, name("h"));
  const edgeNames = Array.from({ length: options.edges }, name("e"));
  const machines = new Map<string, LabHost>();
  for (const each of ["cp", ...edgeNames, ...hostNames]) {
    await network.plugIn(each);
    const machine = new LabHost({ yard, network, image, shared }, each);
    yard.beforeClose(`switching ${each} off`, () => machine.cutPower());
    machines.set(each, machine);
  }
  await Promise.all([...machines.values()].map((each) => each.boot()));
  const of = (names: readonly string[]) => names.flatMap((each) => machines.get(each) ?? []);
  const [[controlPlane], edges, hosts] = [of(["cp"]), of(edgeNames), of(hostNames)];
  if (controlPlane === undefined) throw new Error("no control plane");
  const api = await installControlPlane(controlPlane, [...edgeNames, ...hostNames]);
  const lab = new Lab({ yard, network, controlPlane, edges, hosts, api });
  await Promise.all([
    ...edges.map((each) => installAgent(lab, each, "edge")),
    ...hosts.map((each) => installAgent(lab, each, "agent", options.allow)),
  ]);
  await api.declare(SERVICE, labSpec(options.spec));
  const registered = options.releases.map((release) => lab.register(release));
  await Promise.all([...edges.map(startFront), lab.allAlive(), ...registered]);
  await deployFirst(lab, options.releases);
  return lab;
}

/** The playground's spec, with times for a busy machine; Node is the one that Siding has brought along. */
export function labSpec(over: Partial<SpecInput> = {}): SpecInput {
  return serviceSpec(SERVICE_PORTS, {
    run: { command: ["/usr/lib/siding/current/bin/node", "server.mjs"], stopGrace: "5s" },
    health: { http: "/healthz", interval: "250ms", timeout: "2s", rise: 2, grace: "20s" },
    ...over,
  });
}

/** The tarball as a user gets it, unpacked where every host sees it as /mnt. */
async function unpackedRelease(yard: Yard): Promise<string> {
  const folder = yard.path("shared");
  mkdirSync(folder);
  const tarball = await command(process.execPath, [PACKAGE_PROGRAM, "--out", yard.path("dist")]);
  await command("tar", ["-xzf", tarball.trim(), "--strip-components=1", "-C", folder]);
  return folder;
}

async function installControlPlane(machine: LabHost, hostIds: readonly string[]): Promise<Api> {
  const hosts = hostIds.map((id) => `--host ${id}`).join(" ");
  const listen = `--listen ${machine.address}:${HTTP_PORT} --nats-listen ${machine.address}:${NATS_PORT}`;
  await machine.sh(`/mnt/install.sh control-plane ${listen} ${hosts}`);
  const token = await machine.sh("cat /var/lib/siding/control-plane/admin.token");
  return new Api(`http://${machine.address}:${HTTP_PORT}`, token.trim());
}

async function installAgent(
  { controlPlane }: Lab,
  machine: LabHost,
  role: "agent" | "edge",
  more = "",
): Promise<void> {
  const { name, address } = machine;
  const token = await controlPlane.sh(`cat /etc/siding/tokens/${name}`);
  const urls = `--control-plane http://${controlPlane.address}:${HTTP_PORT} --nats nats://${controlPlane.address}:${NATS_PORT}`;
  const label = role === "edge" ? "role=edge" : "role=web";
  const identity = `--host-id ${name} --address ${address} --label ${label}`;
  await machine.sh(`SIDING_TOKEN=${token.trim()} /mnt/install.sh ${role} ${identity} ${urls} ${more}`);
}

/** What the user has in the nginx of an edge; Debian's own nginx.conf has said some of it. */
export function userFront(edge: LabHost, mode: EdgeMode): string {
  const listen = `${edge.address}:${FRONT_PORT}`;
  return userHttp(INCLUDE_DIR, SERVICE, listen, mode).replace("  access_log off;\n", "");
}

/** The user's own nginx: never reloaded by anybody, and started at every boot. */
async function startFront(edge: LabHost): Promise<void> {
  await edge.sh("rm -f /etc/nginx/sites-enabled/default");
  await edge.write("/etc/nginx/conf.d/web.conf", userFront(edge, "inner"));
  const written = `${INCLUDE_DIR}/http/${SERVICE}.conf`;
  await until("the upstream's file", () => edge.sh(`test -f ${written} && echo there`), PATIENCE_MS);
  await edge.sh("systemctl enable --now nginx");
}

async function deployFirst(lab: Lab, [first]: readonly NamedRelease[]): Promise<void> {
  if (first === undefined) return;
  const strategy = { kind: "rolling", batchSize: "100%" } as const;
  const { id } = await lab.roll({ version: first.version, strategy });
  await finished(lab.api, id, "succeeded", PATIENCE_MS);
}
