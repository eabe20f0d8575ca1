import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import {
  adminToken,
  agentToken,
  artifactLimitBytes,
  asAdmin,
  asAgent,
  bytes,
  digest,
  expectProblem,
  useServedApi,
} from "./served-api.fixture.ts";

const { call, served } = useServedApi();

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
  expect([readdirSync(join(served().folder, "artifacts")), served().ledger.state.artifacts.size]).toEqual([
    ["incoming"],
    0,
  ]);
  expect((await call("POST", "/v1/artifacts", bytes, declares(base64))).status).toBe(201);
});

test("who downloads has a place as long as he reads; who finds none is told when to come again", async () => {
  const large = Buffer.alloc(artifactLimitBytes, "x");
  const { digest: ofLarge } = (await (await call("POST", "/v1/artifacts", large)).json()) as {
    digest: string;
  };
  const path = `/v1/artifacts/${ofLarge}`;
  const { port } = new URL(served().server.url);
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
  const streamed = await fetch(`${served().server.url}/v1/artifacts`, {
    ...{ method: "POST", headers: asAdmin, body: chunked, duplex: "half" },
  } as RequestInit);
  await expectProblem(streamed, 413, "body-too-large");
  await expectProblem(await call("POST", "/v1/artifacts"), 422, "invalid-request");
  const socket = connect(Number(new URL(served().server.url).port), "127.0.0.1");
  socket.write(`POST /v1/artifacts HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${adminToken}\r\n`);
  socket.write("content-length: 1000\r\n\r\nonly this");
  const incoming = join(served().folder, "artifacts", "incoming");
  await vi.waitFor(() => expect(readdirSync(incoming)).toHaveLength(1));
  socket.destroy();
  await vi.waitFor(() => expect(readdirSync(incoming)).toEqual([]));
  expect([readdirSync(join(served().folder, "artifacts")), served().ledger.state.artifacts.size]).toEqual([
    ["incoming"],
    0,
  ]);
});
