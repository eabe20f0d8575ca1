import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, get, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import type { Command, InstanceCommandBody, UpstreamContent } from "@siding/shared/command";
import { contentDigest } from "@siding/shared/digest";
import type {
  CommandId,
  ControlPlaneId,
  HostId,
  Incarnation,
  ServiceName,
  Slot,
  Version,
} from "@siding/shared/ids";
import { encodeMessage, parseMessage } from "@siding/shared/message";
import {
  Beat,
  type InstanceReport,
  type RefusalReport,
  Report,
  type StateReport,
  type UpstreamReport,
} from "@siding/shared/report";
import { subjects } from "@siding/shared/subjects";
import { makeTarget, type Release, type Target, type TargetSpec } from "@siding/shared/target";
import { create } from "tar";
import type * as z from "zod";
import { AGENT_PROGRAM } from "./program.fixture.ts";

const service = "web" as ServiceName;
const hostId = "h1" as HostId;
const token = "a-token-for-tests";
/** Longer than anything here takes; a test that waits so long has failed. */
const patienceMs = 20_000;

const natsServer = "nats-server";

const program = `
const { createServer } = require("node:http");
const { writeFileSync } = require("node:fs");
const version = process.env.SIDING_VERSION;
console.log("starting", version);
const server = createServer((request, response) => {
  if (request.url === "/slow") { response.writeHead(200, { "x-version": version }); response.write("."); setTimeout(() => response.end(), 1500); return; }
  response.writeHead(200, { "x-version": version }).end(process.env.MESSAGE ?? "hello");
});
server.listen(Number(process.env.PORT), process.env.ADDRESS);
process.on("SIGTERM", () => { server.close(() => process.exit(0)); server.closeIdleConnections(); });
`;

/** A real agent with a real NATS, real processes and a control plane of a few lines. */
export class AgentRig {
  readonly folder = mkdtempSync(join(tmpdir(), "siding-agent-"));
  readonly reports: Report[] = [];
  readonly beats: Beat[] = [];
  readonly port: number;
  agent: ChildProcess | null = null;
  agentLog = "";
  /** Artifacts break off in the middle, without an end. */
  stallArtifacts = false;
  #nats: ChildProcess | null = null;
  #natsPort = -1;
  #connection: NatsConnection | null = null;
  #artifacts: Server | null = null;
  #artifactsPort = -1;
  readonly #files = new Map<string, Buffer>();
  #revision = 0;
  #isEdge = false;

  private constructor(port: number) {
    this.port = port;
  }

  /** `nginx`: another than the machine's, of an edge. */
  static async up(roles: readonly string[] = ["host"], nginx = "nginx"): Promise<AgentRig> {
    const rig = new AgentRig(await freePort());
    // nginx workers are of another user.
    chmodSync(rig.folder, 0o755);
    await rig.startNats();
    await rig.#serveArtifacts();
    rig.#configure(roles, nginx);
    return rig;
  }

  /** Ends everything, whatever state the test has left it in. */
  async down(): Promise<void> {
    this.kill();
    await this.#connection?.close();
    this.#nats?.kill("SIGKILL");
    this.#artifacts?.closeAllConnections();
    this.#artifacts?.close();
    if (this.#isEdge) await this.teardown();
    for (const pid of this.servicePids()) process.kill(pid, "SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }

  async startNats(): Promise<void> {
    const config = join(this.folder, "nats.conf");
    const user = `{ user: ${hostId}, password: "${token}", permissions: { publish: ["${subjects.fromHost(hostId)}"], subscribe: ["${subjects.toHost(hostId)}"] } }`;
    writeFileSync(config, `authorization { users: [ { user: cp, password: cp-secret }, ${user} ] }\n`);
    const ports = join(this.folder, "ports");
    rmSync(ports, { recursive: true, force: true });
    mkdirSync(ports);
    this.#nats = spawn(
      natsServer,
      ["-a", "127.0.0.1", "-p", String(this.#natsPort), "-c", config, "--ports_file_dir", ports],
      { stdio: "ignore" },
    );
    this.#natsPort = await until("nats-server", () => natsPortIn(ports));
    this.#connection ??= await this.#listen();
  }

  stopNats(): void {
    this.#nats?.kill("SIGKILL");
  }

  async #listen(): Promise<NatsConnection> {
    const servers = `nats://127.0.0.1:${this.#natsPort}`;
    const options = { user: "cp", pass: "cp-secret", maxReconnectAttempts: -1, reconnectTimeWait: 50 };
    const connection = await connect({ servers, ...options });
    connection.subscribe(subjects.allReports, {
      callback: (_, { data }) => {
        this.reports.push(parsed(Report, data));
      },
    });
    connection.subscribe(subjects.allBeats, {
      callback: (_, { data }) => {
        this.beats.push(parsed(Beat, data));
      },
    });
    await connection.flush();
    return connection;
  }

  #configure(roles: readonly string[], nginx: string): void {
    writeFileSync(join(this.folder, "h1.token"), `${token}\n`);
    this.#isEdge = roles.includes("edge");
    const edge = this.#isEdge
      ? `edge: { nginx: ${nginx}, includeDir: ${this.folder}/include, runDir: ${this.folder}/run, mode: inner }\n`
      : "";
    writeFileSync(
      join(this.folder, "agent.yaml"),
      `hostId: h1
address: 127.0.1.1
labels: { role: web }
roles: [${roles.join(", ")}]
tokenFile: ${this.folder}/h1.token
nats: { url: "nats://127.0.0.1:${this.#natsPort}" }
controlPlane: { url: "http://127.0.0.1:${this.#artifactsPort}" }
dataDir: ${this.folder}/data
releasesDir: ${this.folder}/releases
beatInterval: 1s
allow: { users: [nobody, ghost], units: [web@.service] }
${edge}`,
    );
  }

  startAgent(): void {
    const agent = spawn(process.execPath, [AGENT_PROGRAM, "--config", join(this.folder, "agent.yaml")], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    agent.stderr?.on("data", (chunk: Buffer) => {
      this.agentLog += chunk.toString();
    });
    this.agent = agent;
  }

  /** Starts the agent and waits for its first word. */
  async upAndHeard(): Promise<void> {
    const before = this.reports.length;
    this.startAgent();
    await until("a full report", () =>
      this.reports.slice(before).some((each) => each.kind === "state" && each.full),
    );
  }

  kill(): void {
    this.agent?.kill("SIGKILL");
    this.agent = null;
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    const { agent } = this;
    if (agent === null) throw new Error("no agent runs");
    const exit = once(agent, "exit") as Promise<[number | null]>;
    agent.kill(signal);
    const [code] = await exit;
    this.agent = null;
    return code;
  }

  async teardown(): Promise<number | null> {
    const child = spawn(
      process.execPath,
      [AGENT_PROGRAM, "--config", join(this.folder, "agent.yaml"), "--teardown"],
      {
        stdio: "inherit",
      },
    );
    const [code] = (await once(child, "exit")) as [number | null];
    return code;
  }

  /** Packs the files, offers them as an artifact, and returns a target of them. */
  async target(
    version: string,
    files: Record<string, string> = {},
    change: Partial<TargetSpec> = {},
  ): Promise<Target> {
    const content = join(this.folder, "content", `${version}-${randomBytes(3).toString("hex")}`);
    mkdirSync(content, { recursive: true });
    const all = { "server.cjs": program, "version.txt": version, ...files };
    for (const [name, text] of Object.entries(all)) writeFileSync(join(content, name), text);
    const archive = `${content}.tar.gz`;
    await create({ gzip: true, file: archive, cwd: content }, Object.keys(all));
    return makeTarget(this.offer(version, readFileSync(archive)), 1, { ...this.#spec(), ...change });
  }

  /** Offers these bytes; `lie` is what is sent instead of them. */
  offer(version: string, bytes: Buffer, lie: Buffer = bytes): Release {
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}` as Release["digest"];
    this.#files.set(digest, lie);
    return { version: version as Version, digest, sizeBytes: bytes.length };
  }

  targetOf(release: Release): Target {
    return makeTarget(release, 1, this.#spec());
  }

  #spec(): TargetSpec {
    return {
      run: { command: [process.execPath, "server.cjs"], env: {}, stopGraceMs: 5_000 },
      ports: { blue: this.port, green: null },
      health: { http: "/healthz", intervalMs: 50, timeoutMs: 500, rise: 2, graceMs: 5_000 },
      drain: { deadlineMs: 10_000, onDeadline: "proceed", others: "ignore" },
      hooks: {},
    };
  }

  async #serveArtifacts(): Promise<void> {
    const server = createServer((request, response) => {
      const bytes = this.#files.get(request.url?.replace("/v1/artifacts/", "") ?? "");
      if (request.headers.authorization !== `Bearer ${token}`) response.writeHead(401).end();
      else if (bytes === undefined) response.writeHead(404).end();
      else if (this.stallArtifacts) {
        response
          .writeHead(200, { "content-length": bytes.length })
          .write(bytes.subarray(0, bytes.length / 2));
      } else response.writeHead(200, { "content-length": bytes.length }).end(bytes);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    this.#artifacts = server;
    this.#artifactsPort = (server.address() as AddressInfo).port;
  }

  get incarnation(): Incarnation {
    const last = this.reports.at(-1);
    if (last === undefined) throw new Error("nothing was reported yet");
    return last.incarnation;
  }

  /** Sends an instance command with the next revision, and again until it is taken, as the control plane does. */
  async tell(body: InstanceCommandBody, deadlineMs = 30_000): Promise<number> {
    this.#revision += 1;
    const revision = this.#revision;
    const accepted = () =>
      this.states().some((each) => each.instances.some((one) => one.revision >= revision));
    await until(`${body.kind} is accepted`, () => {
      this.send({ ...this.#envelope(revision), deadlineMs, service, slot: "blue", ...body });
      return accepted();
    });
    return revision;
  }

  apply(content: UpstreamContent): number {
    this.#revision += 1;
    const digest = contentDigest(content);
    this.send({ ...this.#envelope(this.#revision), kind: "apply-revision", step: "commit", digest, content });
    return this.#revision;
  }

  send(command: Command): void {
    this.#connection?.publish(subjects.command(hostId), encodeMessage(command));
  }

  /** Asks for everything. */
  sync(): void {
    this.send({ ...this.#envelope(this.#revision), kind: "sync" });
  }

  #envelope(revision: number) {
    return {
      v: 1 as const,
      commandId: `c${revision}` as CommandId,
      hostId,
      epoch: 1,
      controlPlaneId: "cp1" as ControlPlaneId,
      incarnation: this.incarnation,
      revision,
      deadlineMs: 30_000,
    };
  }

  /** Tells, and waits until it is over. */
  async does(body: InstanceCommandBody): Promise<InstanceReport> {
    const revision = await this.tell(body);
    return this.over(revision);
  }

  over(revision: number): Promise<InstanceReport> {
    return until(`the end of command ${revision}`, () => {
      const said = this.said();
      return said?.revision === revision && said.command?.status !== "running" ? said : null;
    });
  }

  /** Brings the instance to serve. */
  async deploy(target: Target): Promise<void> {
    for (const kind of ["stage", "update"] as const) assertDone(await this.does({ kind, target }));
    assertDone(await this.does({ kind: "verify", target, holdMs: 0, attempt: 1 }));
    assertDone(await this.does({ kind: "rejoin", target }));
  }

  states(): StateReport[] {
    return this.reports.filter((each): each is StateReport => each.kind === "state");
  }

  refusals(): RefusalReport[] {
    return this.reports.filter((each): each is RefusalReport => each.kind === "refused");
  }

  said(slot: Slot = "blue"): InstanceReport | undefined {
    return this.states()
      .flatMap((each) => each.instances.filter((one) => one.slot === slot))
      .at(-1);
  }

  saidOfUpstream(): UpstreamReport | undefined {
    return this.states()
      .flatMap((each) => each.upstreams)
      .at(-1);
  }

  /** Pids of the services that belong to this rig, alive. */
  servicePids(): number[] {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => isService(pid, join(this.folder, "data")));
  }

  /** The version that answers, asked on a connection of its own: a kept one would hold drains. */
  async answers(path = "/"): Promise<string> {
    const asked = get({ host: "127.0.1.1", port: this.port, path, agent: false });
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    for await (const _ of response);
    return String(response.headers["x-version"]);
  }

  /** Established connections to the service. */
  connections(): number {
    const local = `0101007F:${this.port.toString(16).toUpperCase().padStart(4, "0")}`;
    const lines = readFileSync("/proc/net/tcp", "utf8").split("\n");
    return lines.filter((line) => line.trim().split(/\s+/)[1] === local && line.includes(" 01 ")).length;
  }
}

function assertDone(report: InstanceReport): void {
  if (report.command?.status === "done") return;
  throw new Error(`${report.command?.kind} failed: ${JSON.stringify(report.command?.failure)}`);
}

/** Waits for something to come true. Polls: what is waited for happens in other processes. */
export async function until<T>(what: string, look: () => T | null | undefined | false): Promise<T> {
  const deadlineAtMs = performance.now() + patienceMs;
  while (performance.now() < deadlineAtMs) {
    const found = look();
    if (found !== null && found !== undefined && found !== false) return found;
    await sleep(10);
  }
  throw new Error(`waited ${patienceMs} ms for ${what}`);
}

function parsed<S extends z.ZodType>(schema: S, data: Uint8Array): z.output<S> {
  const result = parseMessage(schema, data);
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}

function natsPortIn(folder: string): number | null {
  const file = readdirSync(folder).find((name) => name.endsWith(".ports"));
  if (file === undefined) return null;
  const match = /nats:\/\/[^:"]+:(\d+)/.exec(readFileSync(join(folder, file), "utf8"));
  return match ? Number(match[1]) : null;
}

function isService(pid: number, owner: string): boolean {
  try {
    const dead = /^[ZX]$/.test(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.[0] ?? "Z");
    return !dead && readFileSync(`/proc/${pid}/environ`, "utf8").includes(`SIDING_AGENT=${owner}\0`);
  } catch {
    return false;
  }
}

/** A port of the services' address that nobody has just now. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.1.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
