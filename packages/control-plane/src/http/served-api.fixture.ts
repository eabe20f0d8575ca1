import { createHash } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HostId, RolloutId } from "@siding/shared/ids";
import { Problem } from "@siding/shared/problem";
import { Report } from "@siding/shared/report";
import { pino } from "pino";
import { afterEach, beforeEach, expect } from "vitest";
import type { z } from "zod";
import { DownloadPlaces } from "../artifacts/places.ts";
import { ArtifactStore } from "../artifacts/store.ts";
import { UrlFetcher } from "../artifacts/url-fetcher.ts";
import { keptPort } from "../data-dir/ports.ts";
import { BeatStore } from "../fleet/beats.ts";
import { type Ledger, openLedger } from "../ledger/store.ts";
import { intake } from "../messaging/intake.ts";
import { Catalogue } from "../orchestrator/catalogue.ts";
import { decide } from "../orchestrator/decide.ts";
import { Orchestrator } from "../orchestrator/loop.ts";
import { createApi } from "./app.ts";
import { Tokens } from "./auth.ts";
import { type Desk, type Trouble, viewOf } from "./desk.ts";
import type { Api } from "./endpoint.ts";
import type { OpenStreams } from "./event-stream.ts";
import { Metrics } from "./metrics.ts";
import { type HttpServer, startHttpServer } from "./server.ts";

export const adminToken = "the-admin-token-0000";
export const agentToken = "the-token-of-h1-0000";
/** More than the buffers of a connection whose reader does not read. */
export const artifactLimitBytes = 40_000_000;

export const asAdmin = { authorization: `Bearer ${adminToken}` };
export const asAgent = { authorization: `Bearer ${agentToken}` };

export const spec = {
  name: "web",
  hosts: { match: { role: "web" } },
  run: { command: ["node", "server.js"] },
  port: 8080,
  health: { http: "/healthz" },
  edge: { match: { role: "edge" } },
};

export const bytes = Buffer.from("an artifact, more or less");
export const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** The API on a port of its own, and what a test looks at behind it. */
interface ServedApi {
  readonly folder: string;
  readonly ledger: Ledger;
  readonly orchestrator: Orchestrator;
  readonly server: HttpServer;
  readonly api: Api;
  readonly openStreams: OpenStreams;
  /** Why it can't do its work. */
  troubles: readonly Trouble[];
  /** Time that has passed without anybody waiting for it. */
  aheadMs: number;
}

/** The API served anew for each test of a file, with an empty ledger, and what calls it. */
export function useServedApi() {
  let served: ServedApi;
  beforeEach(async () => {
    served = await serve();
  });
  afterEach(() => close(served));

  function call(
    method: string,
    path: string,
    body?: RequestInit["body"],
    headers: Record<string, string> = {},
  ) {
    return fetch(`${served.server.url}${path}`, {
      method,
      headers: { ...asAdmin, ...headers },
      ...(body ? { body } : {}),
    });
  }

  function sendJson(method: string, path: string, json: unknown, headers: Record<string, string> = {}) {
    return call(method, path, JSON.stringify(json), { "content-type": "application/json", ...headers });
  }

  /** An agent's first report, as it comes from NATS. */
  function report(hostId: string, role: "host" | "edge"): void {
    const facts = {
      agentVersion: "0.1.0",
      hostname: hostId,
      address: "127.0.1.1",
      labels: { role: role === "edge" ? "edge" : "web" },
      roles: [role],
      edgeAddresses: [],
      epochSeen: 0,
      revisionSeen: 0,
    };
    const said = { v: 1, hostId, incarnation: "i1", sequence: 1, kind: "state", full: true, facts };
    const parsed = Report.parse({ ...said, instances: [], upstreams: [] });
    served.orchestrator.commit(intake(served.ledger.state, parsed), `agent:${hostId}`);
  }

  /** Two hosts and an edge, service `web` with release `v1`. */
  async function readyToRoll(): Promise<void> {
    for (const hostId of ["h1", "h2"]) report(hostId, "host");
    report("e1", "edge");
    await sendJson("PUT", "/v1/services/web", spec);
    await call("POST", "/v1/artifacts", bytes);
    const released = await sendJson("POST", "/v1/services/web/releases", {
      version: "v1",
      artifact: { digest },
    });
    expect(released.status).toBe(201);
  }

  return { served: () => served, call, sendJson, report, readyToRoll };
}

async function serve(): Promise<ServedApi> {
  const folder = mkdtempSync(join(tmpdir(), "http-"));
  const told: Pick<ServedApi, "troubles" | "aheadMs"> = { troubles: [], aheadMs: 0 };
  const opened = openLedger(join(folder, "ledger.db"), {
    monotonicMs: () => performance.now() + told.aheadMs,
    wallMs: () => Date.now(),
  });
  if (!opened.ok) throw new Error(opened.error.message);
  const ledger = opened.value;
  const beats = new BeatStore(ledger.clock);
  const log = pino({ level: "silent" });
  const orchestrator = new Orchestrator({
    ...{ ledger, decide, log },
    live: () => beats.view(),
    dispatch: () => null,
  });
  let rollouts = 0;
  const openStreams: OpenStreams = new Set();
  const hosts = [{ id: HostId.parse("h1"), token: agentToken }];
  const metrics = new Metrics("0.0.0-test");
  const artifacts = new ArtifactStore(join(folder, "artifacts"), artifactLimitBytes);
  const desk: Desk = {
    ...{ ledger, orchestrator, beats, log, metrics, artifacts },
    catalogue: new Catalogue(),
    downloads: new DownloadPlaces({ maxDownloads: 1, maxWaiting: 0 }),
    fetcher: new UrlFetcher(artifacts),
    tokens: new Tokens(adminToken, hosts),
    declared: new Set(hosts.map(({ id }) => id)),
    newRolloutId: () => {
      rollouts += 1;
      return RolloutId.parse(`r-${rollouts}`);
    },
    troubles: () => told.troubles,
  };
  metrics.watch({ ...desk, view: () => viewOf(desk) });
  const api = createApi(desk, openStreams, "0.0.0-test");
  const port = await keptPort(join(folder, "ports.json"), "http", "127.0.0.1", 0);
  const started = await startHttpServer(api, { listen: { host: "127.0.0.1", port }, maxConnections: 100 });
  if (!started.ok) throw new Error(started.error.message);
  return Object.assign(told, { folder, ledger, orchestrator, server: started.value, api, openStreams });
}

async function close({ orchestrator, openStreams, server, ledger }: ServedApi): Promise<void> {
  orchestrator.stop();
  for (const stream of openStreams) stream.close();
  await server.close();
  ledger.close();
}

export async function read<S extends z.ZodType>(schema: S, answer: Response): Promise<z.output<S>> {
  return schema.parse(await answer.json());
}

/** Expects a problem document with this status and code. */
export async function expectProblem(answer: Response, status: number, code: string): Promise<Problem> {
  const problem = Problem.parse(await answer.json());
  expect([answer.status, problem.status, problem.code, answer.headers.get("content-type")]).toEqual([
    status,
    status,
    code,
    "application/problem+json",
  ]);
  return problem;
}
