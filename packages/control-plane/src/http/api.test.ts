import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync } from "node:fs";
import { createServer, type IncomingMessage, request } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { HostId, RolloutId } from "@siding/shared/ids";
import { Problem } from "@siding/shared/problem";
import { Report } from "@siding/shared/report";
import {
  EdgeDocument,
  FleetDocument,
  FleetSummary,
  HostDocument,
  listOf,
  RolloutDocument,
  ServiceDocument,
} from "@siding/shared/rest";
import Database from "better-sqlite3";
import { pino } from "pino";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { DownloadPlaces } from "../artifacts/places.ts";
import { ArtifactStore } from "../artifacts/store.ts";
import { UrlFetcher } from "../artifacts/url-fetcher.ts";
import { keptPort } from "../data-dir/ports.ts";
import { BeatStore } from "../fleet/beats.ts";
import { EventBody } from "../ledger/event.ts";
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

const adminToken = "the-admin-token-0000";
const agentToken = "the-token-of-h1-0000";
/** More than the buffers of a connection whose reader does not read. */
const artifactLimitBytes = 40_000_000;

let folder: string;
let ledger: Ledger;
let orchestrator: Orchestrator;
let server: HttpServer;
let api: Api;
let troubles: Trouble[];
let openStreams: OpenStreams;
/** Time that has passed without anybody waiting for it. */
let aheadMs: number;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "http-"));
  aheadMs = 0;
  const opened = openLedger(join(folder, "ledger.db"), {
    monotonicMs: () => performance.now() + aheadMs,
    wallMs: () => Date.now(),
  });
  if (!opened.ok) throw new Error(opened.error.message);
  ledger = opened.value;
  const beats = new BeatStore(ledger.clock);
  const log = pino({ level: "silent" });
  orchestrator = new Orchestrator({ ledger, live: () => beats.view(), decide, dispatch: () => null, log });
  let rollouts = 0;
  troubles = [];
  openStreams = new Set();
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
    troubles: () => troubles,
  };
  metrics.watch({ ...desk, view: () => viewOf(desk) });
  api = createApi(desk, openStreams, "0.0.0-test");
  const port = await keptPort(join(folder, "ports.json"), "http", "127.0.0.1", 0);
  const started = await startHttpServer(api, { listen: { host: "127.0.0.1", port }, maxConnections: 100 });
  if (!started.ok) throw new Error(started.error.message);
  server = started.value;
});

afterEach(async () => {
  orchestrator.stop();
  for (const stream of openStreams) stream.close();
  await server.close();
  ledger.close();
});

const asAdmin = { authorization: `Bearer ${adminToken}` };
const asAgent = { authorization: `Bearer ${agentToken}` };

function call(
  method: string,
  path: string,
  body?: RequestInit["body"],
  headers: Record<string, string> = {},
) {
  return fetch(`${server.url}${path}`, {
    method,
    headers: { ...asAdmin, ...headers },
    ...(body ? { body } : {}),
  });
}

function sendJson(method: string, path: string, json: unknown, headers: Record<string, string> = {}) {
  return call(method, path, JSON.stringify(json), { "content-type": "application/json", ...headers });
}

async function read<S extends z.ZodType>(schema: S, answer: Response): Promise<z.output<S>> {
  return schema.parse(await answer.json());
}

/** Expects a problem document with this status and code. */
async function expectProblem(answer: Response, status: number, code: string): Promise<Problem> {
  const problem = Problem.parse(await answer.json());
  expect([answer.status, problem.status, problem.code, answer.headers.get("content-type")]).toEqual([
    status,
    status,
    code,
    "application/problem+json",
  ]);
  return problem;
}

const spec = {
  name: "web",
  hosts: { match: { role: "web" } },
  run: { command: ["node", "server.js"] },
  port: 8080,
  health: { http: "/healthz" },
  edge: { match: { role: "edge" } },
};

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
  orchestrator.commit(intake(ledger.state, parsed), `agent:${hostId}`);
}

const bytes = Buffer.from("an artifact, more or less");
const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

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

test("a service is declared, read, changed, and written in YAML", async () => {
  const declared = await sendJson("PUT", "/v1/services/web", spec);
  expect(declared.status).toBe(201);
  expect(await read(ServiceDocument, declared)).toMatchObject({
    name: "web",
    specRevision: 1,
    spec,
    releases: [],
  });
  const yaml = "name: web\nhosts: { match: { role: web } }\nrun: { command: [node, other.js] }\nport: 8080\n";
  const changed = await call(
    "PUT",
    "/v1/services/web",
    `${yaml}health: { http: /healthz }\nedge: { match: { role: edge } }`,
    {
      "content-type": "application/yaml; charset=utf-8",
    },
  );
  expect(changed.status).toBe(200);
  expect(await read(ServiceDocument, changed)).toMatchObject({ specRevision: 2 });
  const listed = await read(listOf(ServiceDocument), await call("GET", "/v1/services"));
  expect(listed.items.map(({ name }) => name)).toEqual(["web"]);
  expect(ledger.state.upstreams.size).toBe(1);
});

test("what is wrong with a spec is named by its path", async () => {
  const wrong = {
    ...spec,
    port: "8080",
    health: { http: "/h", intervall: "1s", grace: 5 },
    strategy: { kind: "rolling", batchsize: 2 },
    nmae: "x",
  };
  const { errors } = await expectProblem(
    await sendJson("PUT", "/v1/services/web", wrong),
    422,
    "invalid-request",
  );
  expect(Object.fromEntries((errors ?? []).map(({ path, message }) => [path, message]))).toMatchObject({
    nmae: "unknown key",
    "health.intervall": "unknown key",
    "strategy.batchsize": "unknown key",
    port: expect.stringContaining("expected number") as unknown,
    "health.grace": expect.stringContaining("expected") as unknown,
  });
  const missing = await expectProblem(await sendJson("PUT", "/v1/services/web", {}), 422, "invalid-request");
  expect(missing.errors).toContainEqual({ path: "name", message: "missing; expected string" });
  const kind = { ...spec, strategy: { kind: "big-bang" } };
  const { detail } = await expectProblem(
    await sendJson("PUT", "/v1/services/web", kind),
    422,
    "invalid-request",
  );
  expect(detail).toContain("strategy.kind: unknown kind");
  const named = await expectProblem(await sendJson("PUT", "/v1/services/api", spec), 422, "invalid-request");
  expect(named.errors?.[0]?.path).toBe("name");
  expect(ledger.state.services.size).toBe(0);
});

test("what is not built yet is refused by name, unless something is wrong besides", async () => {
  const later = { ...spec, strategy: { kind: "canary" }, gates: [] };
  const { errors } = await expectProblem(
    await sendJson("PUT", "/v1/services/web", later),
    422,
    "not-available-yet",
  );
  expect(errors?.map(({ path }) => path).sort()).toEqual(["gates", "strategy.kind"]);
  const both = { ...later, port: 0 };
  await expectProblem(await sendJson("PUT", "/v1/services/web", both), 422, "invalid-request");
});

test.each([
  ["{", "application/json", 400, "malformed-json"],
  ["", "application/json", 400, "malformed-json"],
  [Buffer.from([0x22, 0xff, 0x22]), "application/json", 400, "malformed-json"],
  ["a: [", "application/yaml", 400, "malformed-yaml"],
  [`a: &a [x]\nb: [${Array(101).fill("*a").join()}]`, "application/yaml", 400, "malformed-yaml"],
  ["name=web", "application/x-www-form-urlencoded", 415, "unsupported-media-type"],
  ["null", "application/json", 422, "invalid-request"],
  ["[]", "application/json", 422, "invalid-request"],
])("body %j as %s is refused", async (body, type, status, code) => {
  const answer = await call("PUT", "/v1/services/web", body, { "content-type": type });
  await expectProblem(answer, status, code);
});

/** Sends as much of a body as the server takes; gives the answer and how much that was. */
async function flood(path: string, announced: boolean): Promise<{ answer: IncomingMessage; sent: number }> {
  const size = 1_000_000_000;
  const length: Record<string, string> = announced ? { "content-length": String(size) } : {};
  const headers = { ...asAdmin, "content-type": "application/json", ...length };
  const outgoing = request(`${server.url}${path}`, { method: "PUT", headers });
  const chunk = Buffer.alloc(65_536, " ");
  let sent = 0;
  let isOpen = true;
  outgoing.once("close", () => {
    isOpen = false;
  });
  // The server hangs up while we are still sending: that is what is wanted.
  outgoing.on("error", () => undefined);
  const closed = once(outgoing, "close");
  const answered = once(outgoing, "response") as Promise<[IncomingMessage]>;
  const pump = async () => {
    while (isOpen && sent < size) {
      sent += chunk.byteLength;
      if (!outgoing.write(chunk))
        await Promise.race([new Promise((resolve) => outgoing.once("drain", resolve)), closed]);
      await turn();
    }
  };
  const pumping = pump();
  const [answer] = await answered;
  answer.resume();
  await pumping;
  return { answer, sent };
}

test.each([true, false])(
  "a body of 1 GB (length announced: %s) is refused early, and the line closed",
  async (announced) => {
    const before = process.memoryUsage().rss;
    const { answer, sent } = await flood("/v1/services/web", announced);
    expect([answer.statusCode, answer.headers.connection]).toEqual([413, "close"]);
    expect(sent).toBeLessThan(200_000_000);
    expect(process.memoryUsage().rss - before).toBeLessThan(200_000_000);
  },
);

test("who is who: no token 401, unknown token 401, an agent's 403 but for artifacts", async () => {
  const answer = await fetch(`${server.url}/v1/fleet`);
  expect(answer.headers.get("www-authenticate")).toBe("Bearer");
  await expectProblem(answer, 401, "unauthorized");
  const wrong = await fetch(`${server.url}/v1/fleet`, { headers: { authorization: "Bearer nonsense" } });
  await expectProblem(wrong, 401, "unauthorized");
  const agent = (method: string, path: string) => fetch(`${server.url}${path}`, { method, headers: asAgent });
  await expectProblem(await agent("GET", "/v1/fleet"), 403, "forbidden");
  await expectProblem(await agent("POST", "/v1/artifacts"), 403, "forbidden");
  await expectProblem(await agent("GET", `/v1/artifacts/${digest}`), 404, "unknown-artifact");
  for (const path of ["/healthz", "/readyz", "/", "/docs", "/openapi.json"]) {
    expect((await fetch(`${server.url}${path}`)).status).toBe(200);
  }
});

test("an artifact is stored once, fetched whole or in parts, and whatever else is asked of it answered", async () => {
  const first = await call("POST", "/v1/artifacts", bytes);
  expect([first.status, await first.json()]).toEqual([201, { digest, size: bytes.byteLength }]);
  expect((await call("POST", "/v1/artifacts", bytes)).status).toBe(200);
  const get = (headers: Record<string, string>) =>
    call("GET", `/v1/artifacts/${digest}`, undefined, { ...asAgent, ...headers });
  const whole = await get({});
  expect([whole.status, await whole.text()]).toEqual([200, String(bytes)]);
  expect(whole.headers.get("content-length")).toBe(String(bytes.byteLength));
  const parts = ["bytes=3-10", "bytes=12-", "bytes=-4", "bytes=20-9999"];
  const texts: string[] = [];
  for (const range of parts) texts.push(await (await get({ range })).text());
  expect(texts).toEqual(["artifact", " more or less", "less", " less"]);
  const part = await get({ range: "bytes=3-10" });
  await part.text();
  expect([part.status, part.headers.get("content-range")]).toEqual([206, `bytes 3-10/${bytes.byteLength}`]);
  const outside = await get({ range: "bytes=25-" });
  expect(outside.headers.get("content-range")).toBe(`bytes */${bytes.byteLength}`);
  await expectProblem(outside, 416, "range-not-satisfiable");
  const several = await get({ range: "bytes=0-1,3-4" });
  expect([several.status, await several.text()]).toEqual([200, String(bytes)]);
  const same = await get({ range: "bytes=3-10", "if-range": `"${digest}"` });
  expect([same.status, await same.text()]).toEqual([206, "artifact"]);
  const another = await get({ range: "bytes=3-10", "if-range": '"another"' });
  expect([another.status, await another.text()]).toEqual([200, String(bytes)]);
});

test("an artifact that is not what its sender declares is refused, and not kept", async () => {
  const base64 = createHash("sha256").update(bytes).digest("base64");
  const declares = (sha256: string) => ({ "content-digest": `sha-256=:${sha256}:` });
  const other = await call("POST", "/v1/artifacts", "something else", declares(base64));
  const { detail } = await expectProblem(other, 422, "digest-mismatch");
  expect(detail).toContain(`14 bytes with sha256:`);
  expect(detail).toContain(`${digest} was declared`);
  await expectProblem(await call("POST", "/v1/artifacts", bytes, declares("x")), 422, "invalid-request");
  expect([readdirSync(join(folder, "artifacts")), ledger.state.artifacts.size]).toEqual([["incoming"], 0]);
  expect((await call("POST", "/v1/artifacts", bytes, declares(base64))).status).toBe(201);
});

test("who downloads has a place as long as he reads; who finds none is told when to come again", async () => {
  const large = Buffer.alloc(artifactLimitBytes, "x");
  const { digest: ofLarge } = (await (await call("POST", "/v1/artifacts", large)).json()) as {
    digest: string;
  };
  const path = `/v1/artifacts/${ofLarge}`;
  const { port } = new URL(server.url);
  const reader = connect(Number(port), "127.0.0.1");
  reader.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${agentToken}\r\n\r\n`);
  await once(reader, "readable");
  const refused = await call("GET", path);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  await expectProblem(refused, 503, "busy");
  expect((await call("HEAD", path)).headers.get("content-length")).toBe(String(artifactLimitBytes));
  reader.destroy();
  await vi.waitFor(async () =>
    expect((await call("GET", path, undefined, { range: "bytes=0-1" })).status).toBe(206),
  );
});

test("an artifact that is too large, empty or broken off leaves nothing", async () => {
  const large = Buffer.alloc(artifactLimitBytes + 1);
  await expectProblem(await call("POST", "/v1/artifacts", large), 413, "body-too-large");
  const chunked = new ReadableStream({
    pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
  });
  const streamed = await fetch(`${server.url}/v1/artifacts`, {
    ...{ method: "POST", headers: asAdmin, body: chunked, duplex: "half" },
  } as RequestInit);
  await expectProblem(streamed, 413, "body-too-large");
  await expectProblem(await call("POST", "/v1/artifacts"), 422, "invalid-request");
  const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
  socket.write(`POST /v1/artifacts HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${adminToken}\r\n`);
  socket.write("content-length: 1000\r\n\r\nonly this");
  const incoming = join(folder, "artifacts", "incoming");
  await vi.waitFor(() => expect(readdirSync(incoming)).toHaveLength(1));
  socket.destroy();
  await vi.waitFor(() => expect(readdirSync(incoming)).toEqual([]));
  expect([readdirSync(join(folder, "artifacts")), ledger.state.artifacts.size]).toEqual([["incoming"], 0]);
});

test("a release is immutable: the same again 200, other content 409, unknown parts 404", async () => {
  await readyToRoll();
  const release = (version: string, of: string, service = "web") =>
    sendJson("POST", `/v1/services/${service}/releases`, { version, artifact: { digest: of } });
  expect((await release("v1", digest)).status).toBe(200);
  const other = await call("POST", "/v1/artifacts", Buffer.from("other"));
  const { digest: otherDigest } = (await other.json()) as { digest: string };
  await expectProblem(await release("v1", otherDigest), 409, "release-conflict");
  await expectProblem(await release("v2", `sha256:${"0".repeat(64)}`), 404, "unknown-artifact");
  await expectProblem(await release("v2", digest, "api"), 404, "unknown-service");
  const none = { version: "v2", artifact: {} };
  await expectProblem(await sendJson("POST", "/v1/services/web/releases", none), 422, "invalid-request");
});

test("a release can be a unit that runs already: it has no artifact, and never changes", async () => {
  await readyToRoll();
  const release = (body: object) => sendJson("POST", "/v1/services/web/releases", body);
  const adopted = await release({ version: "adopted", adopt: "shop.service" });
  expect([adopted.status, await adopted.json()]).toMatchObject([201, { adopts: "shop.service", size: 0 }]);
  expect((await release({ version: "adopted", adopt: "shop.service" })).status).toBe(200);
  await expectProblem(await release({ version: "adopted", adopt: "other.service" }), 409, "release-conflict");
  for (const [body, path] of [
    [{ version: "v0", adopt: "shop.service" }, "version"],
    [{ version: "adopted", adopt: "shop@.service" }, "adopt"],
    [{ version: "adopted", adopt: "shop.service", artifact: { digest } }, "adopt"],
    [{ version: "adopted" }, "artifact"],
  ] as const) {
    const { errors } = await expectProblem(await release(body), 422, "invalid-request");
    expect(errors?.map((error) => error.path)).toContain(path);
  }
  expect(ledger.state.artifacts.size).toBe(1);
});

test("a release from an address is fetched once, however often it is registered", async () => {
  await readyToRoll();
  const far = Buffer.from("from far away");
  let fetched = 0;
  const site = createServer((_, response) => {
    fetched += 1;
    response.end(far);
  }).listen(0, "127.0.0.1");
  onTestFinished(() => void site.close());
  await once(site, "listening");
  const url = `http://127.0.0.1:${(site.address() as AddressInfo).port}/a.tar.gz`;
  const sha256 = createHash("sha256").update(far).digest("hex");
  const release = (version: string, artifact: object, service = "web") =>
    sendJson("POST", `/v1/services/${service}/releases`, { version, artifact });
  const both = await Promise.all(["v2", "v3"].map((version) => release(version, { url, sha256 })));
  expect(both.map(({ status }) => status)).toEqual([201, 201]);
  expect(await both[0]?.json()).toMatchObject({ digest: `sha256:${sha256}`, size: far.length });
  expect((await release("v2", { url, sha256 })).status).toBe(200);
  expect((await release("v2", { digest: `sha256:${sha256}` })).status).toBe(200);
  expect(fetched).toBe(1);
  const wrong = "0".repeat(64);
  await expectProblem(await release("v2", { url, sha256: wrong }), 409, "release-conflict");
  await expectProblem(await release("v4", { url, sha256 }, "api"), 404, "unknown-service");
  expect(fetched).toBe(1);
  const mismatch = await expectProblem(await release("v4", { url, sha256: wrong }), 422, "digest-mismatch");
  expect(mismatch.errors).toMatchObject([{ path: "artifact.sha256" }]);
  expect(mismatch.detail).toContain(sha256);
  site.close();
  site.closeAllConnections();
  const gone = await expectProblem(await release("v4", { url, sha256: wrong }), 502, "artifact-not-fetched");
  expect(gone.detail).toContain(url);
  expect(readdirSync(join(folder, "artifacts", "incoming"))).toEqual([]);
});

test.each([
  [{ url: "https://x.test/a" }, "artifact.sha256"],
  [{ url: "ftp://x.test/a", sha256: "0".repeat(64) }, "artifact.url"],
  [{ url: "https://me:secret@x.test/a", sha256: "0".repeat(64) }, "artifact.url"],
  [{ url: "https://x.test/a", sha256: "short" }, "artifact.sha256"],
  [{ digest, sha256: "0".repeat(64) }, "artifact.sha256"],
  [{ digest, url: "https://x.test/a", sha256: "0".repeat(64) }, "artifact.url"],
  [{}, "artifact.digest"],
])("a release from %j is refused, naming %s", async (artifact, path) => {
  await readyToRoll();
  const refused = await sendJson("POST", "/v1/services/web/releases", { version: "v2", artifact });
  const { errors } = await expectProblem(refused, 422, "invalid-request");
  expect(errors?.map((error) => error.path)).toContain(path);
});

const startRollout = (body: object, headers: Record<string, string> = {}) =>
  sendJson("POST", "/v1/services/web/rollouts", body, headers);

test("a rollout is started, read, listed and controlled", async () => {
  await readyToRoll();
  await expectProblem(await startRollout({ version: "v9" }), 404, "unknown-version");
  const started = await startRollout({ version: "v1", comment: "first" });
  expect(started.status).toBe(201);
  expect(await read(RolloutDocument, started)).toMatchObject({
    id: "r-2",
    createdBy: "admin",
    comment: "first",
  });
  await expectProblem(await startRollout({ version: "v1" }), 409, "rollout-in-progress");
  const paused = await sendJson("POST", "/v1/rollouts/r-2/pause", { comment: "lunch" });
  expect(paused.status).toBe(200);
  await vi.waitFor(async () => {
    const document = await read(RolloutDocument, await call("GET", "/v1/rollouts/r-2"));
    expect(document).toMatchObject({ status: "paused", cause: { code: "paused-by-person" } });
  });
  expect((await call("POST", "/v1/rollouts/r-2/resume")).status).toBe(200);
  await expectProblem(await call("POST", "/v1/rollouts/r-2/promote"), 409, "no-gate");
  await expectProblem(await sendJson("POST", "/v1/rollouts/r-2/abort", { why: "x" }), 422, "invalid-request");
  await expectProblem(await call("POST", "/v1/rollouts/r-0/abort"), 404, "unknown-rollout");
  await expectProblem(await call("GET", "/v1/rollouts/r-0"), 404, "unknown-rollout");
});

test("a page of rollouts leads to the next", async () => {
  await readyToRoll();
  for (let count = 0; count < 3; count += 1) {
    const { id } = await read(RolloutDocument, await startRollout({ version: "v1" }));
    await call("POST", `/v1/rollouts/${id}/abort`);
    await vi.waitFor(async () => {
      expect(await read(RolloutDocument, await call("GET", `/v1/rollouts/${id}`))).toHaveProperty(
        "finishedAt",
      );
    });
  }
  const page = async (query: string) =>
    read(listOf(RolloutDocument), await call("GET", `/v1/rollouts?service=web&${query}`));
  const first = await page("limit=2");
  expect(first.items).toHaveLength(2);
  const second = await page(`limit=2&after=${first.next}`);
  expect([second.items.length, second.next]).toEqual([1, undefined]);
  await expectProblem(await call("GET", "/v1/rollouts?limit=0&sort=up"), 422, "invalid-request");
});

test("a repeated request with its key begins nothing anew; the key for another request is refused", async () => {
  await readyToRoll();
  const key = { "idempotency-key": "deploy-4711" };
  const first = await read(RolloutDocument, await startRollout({ version: "v1" }, key));
  const again = await startRollout({ version: "v1" }, key);
  expect([again.status, (await read(RolloutDocument, again)).id]).toEqual([200, first.id]);
  await expectProblem(await startRollout({ version: "v1", comment: "x" }, key), 409, "idempotency-conflict");
  const bad = { "idempotency-key": "x".repeat(300) };
  await expectProblem(await startRollout({ version: "v1" }, bad), 422, "invalid-request");
  expect(ledger.state.rollouts.size).toBe(1);
});

test("a key is known for a day; then it is free, and forgotten with the next rollout", async () => {
  await readyToRoll();
  const [old, young] = [{ "idempotency-key": "old" }, { "idempotency-key": "young" }];
  const first = await read(RolloutDocument, await startRollout({ version: "v1" }, old));
  aheadMs = 23 * 3_600_000;
  expect((await startRollout({ version: "v1" }, old)).status).toBe(200);
  await sendJson("POST", `/v1/rollouts/${first.id}/abort`, {});
  await vi.waitFor(() => expect(ledger.state.rollouts.get(first.id)?.status).toBe("aborted"));
  aheadMs = 24 * 3_600_000;
  expect((await startRollout({ version: "v1" }, young)).status).toBe(201);
  expect([...ledger.state.idempotency.keys()]).toEqual(["young"]);
  const stored = new Database(join(folder, "ledger.db")).prepare("SELECT key FROM idempotency").all();
  expect(stored).toEqual([{ key: "young" }]);
  expect((await startRollout({ version: "v1" }, old)).status).toBe(409);
});

/** Reads an event stream to its end. */
async function eventsOf(answer: Response): Promise<{ id: number; event: string; data: unknown }[]> {
  const text = await answer.text();
  return text
    .split("\n\n")
    .filter((block) => block.startsWith("id:"))
    .map((block) => {
      const [id = "", event = "", data = ""] = block
        .split("\n")
        .map((line) => line.slice(line.indexOf(" ") + 1));
      return { id: Number(id), event, data: JSON.parse(data) as unknown };
    });
}

test("events come as they happen, go on after Last-Event-ID, and end with the rollout", async () => {
  await readyToRoll();
  const { id } = await read(RolloutDocument, await startRollout({ version: "v1" }));
  const watching = call("GET", `/v1/rollouts/${id}/events`);
  await watching;
  await call("POST", `/v1/rollouts/${id}/abort`);
  const events = await eventsOf(await watching);
  expect(events[0]).toMatchObject({
    event: "rollout-created",
    data: { by: "admin", type: "rollout-created" },
  });
  expect(events.at(-1)?.event).toBe("rollout-finished");
  expect(events.map((event) => event.id)).toEqual(events.map((event) => event.id).toSorted((a, b) => a - b));
  const resumed = (after: number) =>
    call("GET", `/v1/rollouts/${id}/events`, undefined, { "last-event-id": String(after) });
  const half = events[2]?.id ?? 0;
  expect(await eventsOf(await resumed(half))).toEqual(events.slice(3));
  expect((await resumed(events.at(-1)?.id ?? 0)).status).toBe(204);
  const nonsense = await call("GET", `/v1/rollouts/${id}/events`, undefined, { "last-event-id": "x" });
  await expectProblem(nonsense, 422, "invalid-request");
  await expectProblem(await call("GET", "/v1/rollouts/r-0/events"), 404, "unknown-rollout");
  expect(openStreams.size).toBe(0);
});

test("a watcher who leaves is forgotten", async () => {
  await readyToRoll();
  const { id } = await read(RolloutDocument, await startRollout({ version: "v1" }));
  const leaving = new AbortController();
  await fetch(`${server.url}/v1/rollouts/${id}/events`, { headers: asAdmin, signal: leaving.signal });
  expect(openStreams.size).toBe(1);
  leaving.abort();
  await vi.waitFor(() => expect(openStreams.size).toBe(0));
});

test("the fleet, its hosts and its edges can be read", async () => {
  await readyToRoll();
  const fleet = await read(FleetDocument, await call("GET", "/v1/fleet"));
  expect(fleet.summary).toMatchObject({ hosts: 3, edges: 1, services: 1, unknown: 3 });
  const host = await read(HostDocument, await call("GET", "/v1/hosts/h1"));
  expect(host).toMatchObject({
    id: "h1",
    address: "127.0.1.1",
    labels: { role: "web" },
    liveness: "unknown",
  });
  const hosts = await read(listOf(HostDocument), await call("GET", "/v1/hosts"));
  expect(hosts.items.map(({ id }) => id)).toEqual(["e1", "h1", "h2"]);
  const edges = await read(listOf(EdgeDocument), await call("GET", "/v1/edges"));
  expect(edges.items).toMatchObject([
    { id: "e1", counted: false, upstreams: [{ upstream: "web", serving: null }] },
  ]);
  await expectProblem(await call("GET", "/v1/hosts/h9"), 404, "unknown-host");
});

test("a fleet whose ledger is behind goes on by a person's word; said where nothing waits it changes nothing", async () => {
  await readyToRoll();
  const idle = ledger.state.sequence;
  const summary = await read(FleetSummary, await call("POST", "/v1/fleet/resume"));
  expect(summary).toMatchObject({ behind: null, summary: { hosts: 3 } });
  expect(ledger.state.sequence).toBe(idle);
  const ahead = { type: "fleet-ahead", hostId: "h1", epochSeen: 7, revisionSeen: 900, epoch: 8 };
  expect(ledger.commit(idle, [EventBody.parse(ahead)], "h1").ok).toBe(true);
  const waits = await read(FleetDocument, await call("GET", "/v1/fleet"));
  expect(waits.behind).toContain("POST /v1/fleet/resume");
  expect(await (await call("GET", "/metrics")).text()).toContain("siding_ledger_behind 1");
  await expectProblem(await sendJson("POST", "/v1/fleet/resume", { coment: "x" }), 422, "invalid-request");
  await expectProblem(await sendJson("PUT", "/v1/fleet/resume", {}), 405, "method-not-allowed");
  expect(ledger.state.behind).not.toBeNull();
  const said = { comment: "compared with the change log" };
  const gone = await read(FleetSummary, await sendJson("POST", "/v1/fleet/resume", said));
  expect(gone.behind).toBeNull();
  const log = ledger.events({ after: 901, limit: 1 });
  expect(log).toMatchObject({ value: [{ by: "admin", body: { type: "fleet-resumed", ...said } }] });
});

test("edges can be asked for in pages and by what they are", async () => {
  await readyToRoll();
  for (const id of ["e10", "e2"]) report(id, "edge");
  const asked = async (query: string) => {
    const { items, next } = await read(listOf(EdgeDocument), await call("GET", `/v1/edges?${query}`));
    return [...items.map(({ id }) => id), ...(next === undefined ? [] : [`next ${next}`])];
  };
  expect(await asked("limit=2")).toEqual(["e1", "e2", "next e2"]);
  expect(await asked("limit=2&after=e2")).toEqual(["e10"]);
  expect(await asked("q=E10")).toEqual(["e10"]);
  expect(await asked("label=role%3Dedge&service=web&liveness=unknown")).toEqual(["e1", "e2", "e10"]);
  expect(await asked("label=role%3Dweb")).toEqual([]);
  expect(await asked("service=api")).toEqual([]);
  expect(await asked("liveness=silent")).toEqual([]);
  await expectProblem(await call("GET", "/v1/edges?version=v1"), 422, "invalid-request");
  const etag = (await call("GET", "/v1/edges")).headers.get("etag") ?? "";
  expect((await call("GET", "/v1/edges", undefined, { "if-none-match": etag })).status).toBe(304);
});

/** Reads a stream of events until `isEnough`. */
async function streamed(answer: Response, isEnough: (text: string) => boolean): Promise<string> {
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (reader && !isEnough(text)) {
    const { value } = (await reader.read()) as { value?: string };
    text += value ?? "";
  }
  await reader?.cancel();
  return text;
}

test("the fleet's stream says everything once, then what changes, and is forgotten when it is left", async () => {
  await readyToRoll();
  const answer = await call("GET", "/v1/fleet/events");
  expect(answer.headers.get("content-type")).toBe("text/event-stream");
  let isTold = false;
  const text = await streamed(answer, (so) => {
    if (so.includes("event: complete") && !isTold) {
      isTold = true;
      report("h3", "host");
    }
    return so.includes('"id":"h3"');
  });
  const events = [...text.matchAll(/^event: (.*)$/gm)].map(([, name]) => name);
  const complete = events.indexOf("complete");
  expect(events.slice(0, complete)).toEqual(["hello", "fleet", "services", "edges", "hosts"]);
  expect(events.slice(complete + 1)).toEqual(["fleet", "services", "hosts"]);
  expect(text.match(/"id":"h1"/g)).toHaveLength(1);
  await vi.waitFor(() => expect(openStreams.size).toBe(0));
  await expectProblem(await fetch(`${server.url}/v1/fleet/events`), 401, "unauthorized");
});

test("the page and its files come from here alone, and are not sent twice", async () => {
  const page = await fetch(`${server.url}/`);
  const html = await page.text();
  expect(page.headers.get("content-security-policy")).toMatch(
    /^default-src 'none';.*require-trusted-types-for 'script'/,
  );
  const files = [...html.matchAll(/(?:src|href)="(\/page\/[^"]+)"/g)].map(([, file]) => file);
  expect(files).toContain("/page/main.js");
  for (const file of files) {
    const answer = await fetch(`${server.url}${file}`);
    expect(answer.status).toBe(200);
    const headers = { "if-none-match": answer.headers.get("etag") ?? "" };
    expect((await fetch(`${server.url}${file}`, { headers })).status).toBe(304);
  }
  expect(`${html}`).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
  for (const path of ["/page/nothing.js", "/page/files.ts", "/page/..%2ffiles.ts"]) {
    await expectProblem(await fetch(`${server.url}${path}`), 404, "not-found");
  }
});

test("hosts are filtered, searched and paged, and unchanged ones are not sent again", async () => {
  await readyToRoll();
  for (const hostId of ["h10", "h9"]) report(hostId, "host");
  const ids = async (query: string) => {
    const fleet = await read(FleetDocument, await call("GET", `/v1/fleet?${query}`));
    expect(fleet.summary.hosts).toBe(5);
    return [fleet.hosts.map(({ id }) => id).join(" "), fleet.matching, fleet.next];
  };
  expect(await ids("")).toEqual(["e1 h1 h2 h9 h10", 5, undefined]);
  expect(await ids("label=role%3Dweb&limit=2")).toEqual(["h1 h2", 4, "h2"]);
  expect(await ids("label=role%3Dweb&limit=2&after=h2")).toEqual(["h9 h10", 4, undefined]);
  // h5 is not there, and never was: the walk goes on behind where it would be.
  expect(await ids("after=h5")).toEqual(["h9 h10", 5, undefined]);
  expect(await ids("q=ROLE%3Dedge")).toEqual(["e1", 1, undefined]);
  expect(await ids("liveness=alive")).toEqual(["", 0, undefined]);
  expect(await ids("liveness=unknown&label=role%3Dedge&label=zone%3Da")).toEqual(["", 0, undefined]);
  expect(await ids("service=web&state=serving&version=v1")).toEqual(["", 0, undefined]);
  for (const query of ["limit=0", "limit=x", "liveness=dead", "lable=a%3Db", "label=role", "after=H1"]) {
    const { errors } = await expectProblem(await call("GET", `/v1/hosts?${query}`), 422, "invalid-request");
    expect(errors?.[0]?.path).toContain(query.slice(0, query.indexOf("=")));
  }
  for (const path of ["/v1/fleet", "/v1/hosts?limit=1"]) {
    const first = await call("GET", path);
    const etag = first.headers.get("etag") ?? "";
    const again = await call("GET", path, undefined, { "if-none-match": `"other", W/${etag}` });
    expect([again.status, await again.text()]).toEqual([304, ""]);
    report(`x${path.length}`, "host");
    const changed = await call("GET", path, undefined, { "if-none-match": etag });
    expect(changed.status).toBe(path.includes("limit") ? 304 : 200);
  }
});

test("the document lists every route, and nothing else; unknown ones are problems too", async () => {
  const document = z
    .object({
      openapi: z.literal("3.1.0"),
      paths: z.record(z.string(), z.record(z.string(), z.looseObject({}))),
    })
    .parse(await (await call("GET", "/openapi.json")).json());
  const described = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`),
  );
  const routed = api.routes
    .filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => `${method} ${path}`);
  expect(described.toSorted()).toEqual([...new Set(routed)].toSorted());
  for (const route of [
    "PUT /v1/services/:service",
    "POST /v1/artifacts",
    "GET /v1/rollouts/:id/events",
    "POST /v1/rollouts/:id/rollback",
    "POST /v1/edges/:id/exclude",
    "GET /readyz",
  ]) {
    expect(described).toContain(route);
  }
  await expectProblem(await call("GET", "/v1/nothing"), 404, "not-found");
  const method = await call("PATCH", "/v1/services/web");
  expect(method.headers.get("allow")).toBe("PUT, GET");
  await expectProblem(method, 405, "method-not-allowed");
});

test("calls of later releases are refused by name", async () => {
  for (const [method, path] of [
    ["POST", "/v1/join-tokens"],
    ["POST", "/v1/enroll"],
  ] as const) {
    const { detail } = await expectProblem(await call(method, path), 422, "not-available-yet");
    expect(detail).toContain("not available in this release of Siding");
  }
});

test("metrics count what there is few of, never hosts or paths", async () => {
  await readyToRoll();
  await call("POST", "/v1/services/web/rollouts", JSON.stringify({ version: "v1" }));
  await call("GET", "/v1/hosts/h1");
  await call("GET", "/nothing/of/the/kind");
  const answer = await call("GET", "/metrics");
  expect(answer.headers.get("content-type")).toMatch(/^text\/plain/);
  const lines = (await answer.text()).split("\n");
  for (const line of [
    'siding_build_info{version="0.0.0-test"} 1',
    'siding_hosts{liveness="unknown"} 3',
    'siding_hosts{liveness="alive"} 0',
    'siding_rollouts{status="succeeded"} 0',
    `siding_ledger_sequence ${ledger.state.sequence}`,
    "siding_nats_connected 1",
    'siding_edge_reloads_total{edge="e1",upstream="web"} 0',
    'siding_http_request_duration_seconds_count{method="GET",route="/v1/hosts/:id",status="200"} 1',
    'siding_http_request_duration_seconds_count{method="GET",route="none",status="404"} 1',
  ]) {
    expect(lines).toContain(line);
  }
  expect(
    lines.some((line) => /^siding_edge_lag_seconds\{edge="e1",upstream="web"\} [0-9.]+$/.test(line)),
  ).toBe(true);
  expect(lines.filter((line) => /h1|h2|\/nothing/.test(line))).toEqual([]);
  expect(lines.some((line) => line.startsWith("process_cpu_seconds_total"))).toBe(true);
});

test("while it can't do its work it says why; what can't be stored is not done", async () => {
  troubles = [{ what: "nats", message: "not connected to nats://127.0.0.1:4222" }];
  const { errors } = await expectProblem(await call("GET", "/readyz"), 503, "not-ready");
  expect(errors).toEqual([{ path: "nats", message: "not connected to nats://127.0.0.1:4222" }]);
  const disk = new Database(join(folder, "ledger.db"));
  disk.exec("CREATE TRIGGER disk BEFORE INSERT ON events BEGIN SELECT RAISE(FAIL, 'disk is full'); END");
  await expectProblem(await sendJson("PUT", "/v1/services/web", spec), 503, "storage-unavailable");
  disk.exec("DROP TRIGGER disk");
  disk.close();
  expect(ledger.state.services.size).toBe(0);
  expect((await sendJson("PUT", "/v1/services/web", spec)).status).toBe(201);
});

test("what is no HTTP at all gets a problem document and an end", async () => {
  const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
  socket.end("NONSENSE\r\n\r\n");
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  await once(socket, "close");
  const answer = Buffer.concat(chunks).toString();
  expect(answer).toMatch(/^HTTP\/1\.1 400 .*application\/problem\+json.*"code":"invalid-request"/s);
});
