import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { z } from "zod";
import { asAgent, digest, expectProblem, spec, useServedApi } from "./served-api.fixture.ts";

const { call, readyToRoll, sendJson, served } = useServedApi();

test("who is who: no token 401, unknown token 401, an agent's 403 but for artifacts", async () => {
  const answer = await fetch(`${served().server.url}/v1/fleet`);
  expect(answer.headers.get("www-authenticate")).toBe("Bearer");
  await expectProblem(answer, 401, "unauthorized");
  const wrong = await fetch(`${served().server.url}/v1/fleet`, {
    headers: { authorization: "Bearer nonsense" },
  });
  await expectProblem(wrong, 401, "unauthorized");
  const agent = (method: string, path: string) =>
    fetch(`${served().server.url}${path}`, { method, headers: asAgent });
  await expectProblem(await agent("GET", "/v1/fleet"), 403, "forbidden");
  await expectProblem(await agent("POST", "/v1/artifacts"), 403, "forbidden");
  await expectProblem(await agent("GET", `/v1/artifacts/${digest}`), 404, "unknown-artifact");
  for (const path of ["/healthz", "/readyz", "/", "/docs", "/openapi.json"]) {
    expect((await fetch(`${served().server.url}${path}`)).status).toBe(200);
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
  const routed = served()
    .api.routes.filter(({ method }) => method !== "ALL")
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

test("the page and its files come from here alone, and are not sent twice", async () => {
  const page = await fetch(`${served().server.url}/`);
  const html = await page.text();
  expect(page.headers.get("content-security-policy")).toMatch(
    /^default-src 'none';.*require-trusted-types-for 'script'/,
  );
  const files = [...html.matchAll(/(?:src|href)="(\/page\/[^"]+)"/g)].map(([, file]) => file);
  expect(files).toContain("/page/main.js");
  for (const file of files) {
    const answer = await fetch(`${served().server.url}${file}`);
    expect(answer.status).toBe(200);
    const headers = { "if-none-match": answer.headers.get("etag") ?? "" };
    expect((await fetch(`${served().server.url}${file}`, { headers })).status).toBe(304);
  }
  expect(`${html}`).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
  for (const path of ["/page/nothing.js", "/page/files.ts", "/page/..%2ffiles.ts"]) {
    await expectProblem(await fetch(`${served().server.url}${path}`), 404, "not-found");
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
    `siding_ledger_sequence ${served().ledger.state.sequence}`,
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
  served().troubles = [{ what: "nats", message: "not connected to nats://127.0.0.1:4222" }];
  const { errors } = await expectProblem(await call("GET", "/readyz"), 503, "not-ready");
  expect(errors).toEqual([{ path: "nats", message: "not connected to nats://127.0.0.1:4222" }]);
  const disk = new Database(join(served().folder, "ledger.db"));
  disk.exec("CREATE TRIGGER disk BEFORE INSERT ON events BEGIN SELECT RAISE(FAIL, 'disk is full'); END");
  await expectProblem(await sendJson("PUT", "/v1/services/web", spec), 503, "storage-unavailable");
  disk.exec("DROP TRIGGER disk");
  disk.close();
  expect(served().ledger.state.services.size).toBe(0);
  expect((await sendJson("PUT", "/v1/services/web", spec)).status).toBe(201);
});

test("what is no HTTP at all gets a problem document and an end", async () => {
  const socket = connect(Number(new URL(served().server.url).port), "127.0.0.1");
  socket.end("NONSENSE\r\n\r\n");
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  await once(socket, "close");
  const answer = Buffer.concat(chunks).toString();
  expect(answer).toMatch(/^HTTP\/1\.1 400 .*application\/problem\+json.*"code":"invalid-request"/s);
});
