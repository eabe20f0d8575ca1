import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { ApplyRevision, type Command, Sync } from "@siding/shared/command";
import { encodeMessage, parseMessage } from "@siding/shared/message";
import { Problem } from "@siding/shared/problem";
import { EdgeDocument, FleetDocument, listOf, ServiceDocument } from "@siding/shared/rest";
import { stateDigest } from "@siding/shared/state-digest";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { identityOf } from "./data-dir/process-identity.ts";
import { program } from "./program.fixture.ts";

const patience = { timeout: 20_000, interval: 20 };
const Endpoints = z.object({ http: z.string(), nats: z.string() });
const token = (hostId: string) => `token-of-${hostId}-000000`;

let folder: string;
let dataDir: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "main-"));
  dataDir = join(folder, "data");
  for (const hostId of ["e1", "h1"]) writeFileSync(join(folder, `${hostId}.token`), token(hostId));
  configure({});
});

function configure(change: object): void {
  const hosts = ["e1", "h1"].map((id) => ({ id, tokenFile: `${id}.token` }));
  writeFileSync(join(folder, "siding.yaml"), JSON.stringify({ dataDir: "data", hosts, ...change }));
}

interface Run {
  readonly child: ChildProcess;
  readonly said: () => string;
  readonly ended: Promise<number | null>;
}

function run(...args: string[]): Run {
  const child = spawn(process.execPath, [program, "--config", join(folder, "siding.yaml"), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let said = "";
  for (const output of [child.stdout, child.stderr]) output?.on("data", (chunk) => (said += String(chunk)));
  const ended = once(child, "close").then(([code]) => code as number | null);
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
    await ended;
  });
  return { child, said: () => said, ended };
}

/** Starts it and waits until it says that it is ready. */
async function start(): Promise<Run & { readonly endpoints: z.infer<typeof Endpoints> }> {
  const file = join(dataDir, "endpoints.json");
  rmSync(file, { force: true });
  const started = run();
  const endpoints = await vi.waitFor(() => Endpoints.parse(JSON.parse(readFileSync(file, "utf8"))), patience);
  return { ...started, endpoints };
}

async function stop({ child, ended }: Run, signal: NodeJS.Signals): Promise<number | null> {
  child.kill(signal);
  return ended;
}

function natsServers(): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0 && identityOf(pid) !== null)
    .filter((pid) => commandOf(pid).includes(join(dataDir, "nats")));
}

/** Empty for a process that has ended while we looked. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

async function ask(url: string, method: string, path: string, json?: unknown): Promise<Response> {
  const authorization = `Bearer ${readFileSync(join(dataDir, "admin.token"), "utf8").trim()}`;
  const headers = { authorization, "content-type": "application/json" };
  return fetch(`${url}${path}`, { method, headers, ...(json ? { body: JSON.stringify(json) } : {}) });
}

const spec = {
  name: "web",
  hosts: { match: { role: "web" } },
  run: { command: ["node", "server.js"] },
  port: 8080,
  health: { http: "/healthz" },
  edge: { match: { role: "edge" } },
};

test("its life: ready, alone on its data, killed, back as it was, ended in order, rebuilt", async () => {
  const first = await start();
  expect((await fetch(`${first.endpoints.http}/readyz`)).status).toBe(200);
  expect(statSync(join(dataDir, "admin.token")).mode & 0o777).toBe(0o600);
  expect((await ask(first.endpoints.http, "PUT", "/v1/services/web", spec)).status).toBe(201);
  const others = [run(), run("rebuild")];
  for (const other of others) {
    expect(await other.ended).toBe(3);
    expect(other.said()).toContain(`another control plane (pid ${first.child.pid})`);
  }
  const nats = natsServers();
  expect(nats).toHaveLength(1);
  await stop(first, "SIGKILL");

  const second = await start();
  expect(second.endpoints).toEqual(first.endpoints);
  expect(natsServers()).toEqual(nats);
  // It says so after the file that start() waits for.
  await vi.waitFor(() => expect(second.said()).toContain('"epoch":2'), patience);
  const service = await ask(second.endpoints.http, "GET", "/v1/services/web");
  expect(ServiceDocument.parse(await service.json()).specRevision).toBe(1);
  second.child.kill("SIGINT");
  expect(await stop(second, "SIGTERM")).toBe(0);
  expect(second.said()).toContain('"event":"stopped"');
  expect(natsServers()).toEqual([]);
  expect(readdirSync(dataDir)).not.toContain("lock");

  const rebuilt = run("rebuild");
  expect(await rebuilt.ended).toBe(0);
  expect(rebuilt.said()).toMatch(
    /folded 4 events into 0 hosts, 1 services.*\nevery record was as the log says/,
  );
});

test("it is backed up and restored by one command each, also while it works", async () => {
  const first = await start();
  const { http } = first.endpoints;
  const known = async (service: string) => (await ask(http, "GET", `/v1/services/${service}`)).status;
  expect((await ask(http, "PUT", "/v1/services/web", spec)).status).toBe(201);
  const backup = join(folder, "monday.backup");
  await expectEnd(run("backup", backup), 0, "and verified them");
  await expectEnd(run("backup", backup), 3, "is there already");
  const service = { ...spec, name: "api", port: 8081, edge: { match: { role: "edge" }, upstream: "api" } };
  expect((await ask(http, "PUT", "/v1/services/api", service)).status).toBe(201);

  const half = join(folder, "half.backup");
  writeFileSync(half, readFileSync(backup).subarray(0, 20_000));
  await expectEnd(run("restore", half), 3, "nothing has changed");
  expect([await known("web"), await known("api")]).toEqual([200, 200]);

  await expectEnd(run("restore", backup), 0, /restored \d+ events.*kept as.*is ready.*all 0 artifacts/s);
  expect(first.child.exitCode).toBeNull();
  expect([await known("web"), await known("api")]).toEqual([200, 404]);
  const [aside = ""] = readdirSync(dataDir).filter((name) => /^ledger\.db\.before-\w+$/.test(name));
  await stop(first, "SIGTERM");

  await expectEnd(run("restore", join(dataDir, aside)), 0, "the next start works with this ledger");
  await start();
  expect([await known("web"), await known("api")]).toEqual([200, 200]);
});

async function expectEnd(run: Run, code: number, words: string | RegExp): Promise<void> {
  expect([await run.ended, run.said()]).toEqual([code, expect.stringMatching(words)]);
}

test("a config or a command that can't be is refused before anything is touched", async () => {
  configure({ htpp: {} });
  const [config, verb] = [run(), run("explode")];
  expect([await config.ended, config.said()]).toEqual([2, expect.stringContaining("htpp: unknown key")]);
  expect([await verb.ended, verb.said()]).toEqual([2, expect.stringContaining("unknown command 'explode'")]);
  expect(readdirSync(folder)).not.toContain("data");
});

/** An edge's agent as NATS sees it: reports once, beats, and answers what it is told. */
async function edgeAgent(url: string) {
  const connection: NatsConnection = await connect({ servers: url, user: "e1", pass: token("e1") });
  onTestFinished(() => connection.close());
  const heard: Command[] = [];
  connection.subscribe("siding.v1.to.e1.>", {
    callback: (_, message) => {
      const command = parseMessage(z.union([ApplyRevision, Sync]), message.data);
      if (command.ok) heard.push(command.value);
    },
  });
  await connection.flush();
  const frame = { v: 1, hostId: "e1", incarnation: "i1" };
  const facts = {
    agentVersion: "0.1.0",
    hostname: "e1",
    address: "127.0.1.9",
    labels: { role: "edge" },
    roles: ["edge"],
    edgeAddresses: [],
    epochSeen: 0,
    revisionSeen: 0,
  };
  let sequence = 0;
  const report = (change: object) => {
    sequence += 1;
    const state = {
      ...frame,
      sequence,
      kind: "state",
      full: true,
      facts,
      instances: [],
      upstreams: [],
      ...change,
    };
    connection.publish("siding.v1.from.e1.report", encodeMessage(state));
  };
  const beat = () =>
    connection.publish(
      "siding.v1.from.e1.beat",
      encodeMessage({
        ...frame,
        stateDigest: stateDigest([], []),
        intervalMs: 1_000,
        load: { cpu: 0.25, memory: 0.5 },
      }),
    );
  return { heard, report, beat, facts };
}

test("reports arrive, what follows from them is committed and published, again until it is answered", async () => {
  const { endpoints } = await start();
  const edge = await edgeAgent(endpoints.nats);
  // Its first report was lost: the beat alone makes us ask.
  edge.beat();
  await vi.waitFor(() => expect(edge.heard.map(({ kind }) => kind)).toContain("sync"), patience);
  edge.report({});
  await vi.waitFor(async () => {
    const fleet = FleetDocument.parse(await (await ask(endpoints.http, "GET", "/v1/fleet")).json());
    expect(fleet.hosts.find(({ id }) => id === "e1")).toMatchObject({
      liveness: "alive",
      load: { cpu: 0.25 },
    });
  }, patience);
  await ask(endpoints.http, "PUT", "/v1/services/web", spec);
  const revisions = () => edge.heard.filter((command) => command.kind === "apply-revision");
  await vi.waitFor(() => expect(revisions().length).toBeGreaterThan(1), patience);
  const [first] = revisions() as ApplyRevision[];
  if (!first) throw new Error("no revision was heard");
  const { revision, digest } = first;
  expect(first).toMatchObject({ hostId: "e1", incarnation: "i1", content: { upstream: "web", members: [] } });
  edge.report({
    full: false,
    upstreams: [
      {
        upstream: "web",
        revision,
        serving: { revision, digest },
        refused: null,
        trouble: null,
        ...{ generation: 1, reloads: 1, turnoverMs: 12, probes: [] },
      },
    ],
  });
  await vi.waitFor(async () => {
    const edges = listOf(EdgeDocument).parse(await (await ask(endpoints.http, "GET", "/v1/edges")).json());
    expect(edges.items[0]).toMatchObject({
      counted: true,
      upstreams: [{ wanted: revision, serving: revision }],
    });
  }, patience);
});

test("with a NATS of the operator's that is away, it says what it lacks, and works once it is there", async () => {
  const managed = await start();
  const { port } = new URL(managed.endpoints.nats);
  const config = JSON.parse(readFileSync(join(dataDir, "nats", "nats-server.conf"), "utf8")) as {
    authorization: { users: { user: string; password: string }[] };
  };
  await stop(managed, "SIGTERM");
  const self = config.authorization.users[0];
  if (!self) throw new Error("nats-server has no users");
  writeFileSync(join(folder, "nats.password"), self.password);
  const url = `nats://127.0.0.1:${port}`;
  configure({ nats: { url, user: self.user, passwordFile: "nats.password" } });
  run();
  const { http } = managed.endpoints;
  await vi.waitFor(async () => {
    const answer = Problem.parse(await (await fetch(`${http}/readyz`)).json());
    expect(answer).toMatchObject({ code: "not-ready", detail: `nats: not connected to ${url}` });
  }, patience);
  const binary = "nats-server";
  const nats = spawn(binary, ["-c", join(dataDir, "nats", "nats-server.conf")], { stdio: "ignore" });
  onTestFinished(() => void nats.kill());
  await vi.waitFor(async () => expect((await fetch(`${http}/readyz`)).status).toBe(200), patience);
});
