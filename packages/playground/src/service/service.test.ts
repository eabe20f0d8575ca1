import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { extract } from "tar";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort } from "../processes/free-port.ts";
import type { Program } from "../processes/program.ts";
import { Yard } from "../processes/yard.ts";
import { until } from "../until.ts";
import { packRelease, type Variant } from "./releases.ts";

const ADDRESS = "127.0.1.1";
let yard: Yard;

beforeAll(() => {
  yard = new Yard();
});

afterAll(() => yard.close());

/** Unpacks and starts a release as an agent would. */
async function start(variant: Variant): Promise<{ program: Program; url: string }> {
  const port = await freePort([ADDRESS]);
  const folder = yard.path(`${variant}-${port}`);
  mkdirSync(folder);
  writeFileSync(`${folder}.tar.gz`, packRelease({ version: "v1", variant }));
  await extract({ file: `${folder}.tar.gz`, cwd: folder });
  const environment = [`ADDRESS=${ADDRESS}`, `PORT=${port}`, "SIDING_VERSION=v1"];
  const program = yard.start({
    name: `${variant}-${port}`,
    command: "env",
    args: [...environment, "node", `${folder}/server.mjs`],
  });
  return { program, url: `http://${ADDRESS}:${port}` };
}

async function startAnswering(variant: Variant): Promise<{ program: Program; url: string }> {
  const service = await start(variant);
  await until("an answer", () => fetch(`${service.url}/healthz`), 10_000);
  return service;
}

test("answers with its version, counts bodies, shows headers, sends as much as asked", async () => {
  const { url } = await startAnswering("sound");
  const get = await fetch(`${url}/some/path`);
  expect(get.headers.get("x-version")).toBe("v1");
  expect(await get.json()).toEqual({ url: "/some/path", version: "v1" });
  const post = await fetch(`${url}/p`, { method: "POST", body: Buffer.alloc(1_000_000) });
  expect(await post.json()).toEqual({ url: "/p", version: "v1", bytes: 1_000_000 });
  const bytes = await fetch(`${url}/bytes?size=3000000`);
  expect((await bytes.arrayBuffer()).byteLength).toBe(3_000_000);
  const headers = await fetch(`${url}/headers?size=10000`, { headers: { under_score: "kept" } });
  expect(headers.headers.get("x-padding")).toHaveLength(10_000);
  expect(await headers.json()).toMatchObject({ headers: { under_score: "kept" } });
  const events = await fetch(`${url}/events?count=2`);
  expect(await events.text()).toBe("id: 1\ndata: v1\n\nid: 2\ndata: v1\n\n");
});

test.each([5, 5_000, 200_000])("echoes a websocket message of %i characters", async (length) => {
  const { url } = await startAnswering("sound");
  const socket = new WebSocket(url.replace("http", "ws"));
  await once(socket, "open");
  const message = "e".repeat(length);
  socket.send(message);
  const [event] = (await once(socket, "message")) as [MessageEvent];
  expect(event.data).toBe(message);
  socket.close();
  await once(socket, "close");
});

test("at SIGTERM it finishes what is in flight, takes nothing new and exits with 0", async () => {
  const { program, url } = await startAnswering("sound");
  const socket = new WebSocket(url.replace("http", "ws"));
  await once(socket, "open");
  const inFlight = fetch(`${url}/slow?ms=500`);
  await until("the request's arrival", async () => (await fetch(url)).ok, 1_000);
  const farewell = once(socket, "close") as Promise<[CloseEvent]>;
  program.signal("SIGTERM");
  await until(
    "a refusal",
    () =>
      fetch(url).then(
        () => false,
        () => true,
      ),
    1_000,
  );
  expect((await inFlight).status).toBe(200);
  expect((await farewell)[0].code).toBe(1001);
  expect(await program.ended).toBe("0");
});

test("the broken release answers, but never healthy", async () => {
  const { url } = await startAnswering("broken");
  expect((await fetch(`${url}/healthz`)).status).toBe(500);
  expect((await fetch(url)).status).toBe(200);
});

test("the slow one is healthy later", async () => {
  const { url } = await startAnswering("slow-start");
  expect((await fetch(`${url}/healthz`)).status).toBe(503);
  await until("health", async () => (await fetch(`${url}/healthz`)).ok, 5_000);
});

test("exits-at-once says why and exits", async () => {
  const { program } = await start("exits-at-once");
  expect(await program.ended).toBe("3");
  expect(program.logTail(1)).toBe("DATABASE_URL is not set");
});

test("loopback-only listens, but not where it was told", async () => {
  const { url } = await start("loopback-only");
  const port = new URL(url).port;
  await until("health", async () => (await fetch(`http://127.0.0.1:${port}/healthz`)).ok, 5_000);
  await expect(fetch(url)).rejects.toThrow("fetch failed");
});

test("never-answers accepts and says nothing", async () => {
  const { url } = await start("never-answers");
  const outcome = () =>
    fetch(url, { signal: AbortSignal.timeout(300) }).catch((error: unknown) =>
      error instanceof DOMException ? error.name : undefined,
    );
  // Refused until it listens.
  expect(await until("silence instead of a refusal", outcome, 5_000)).toBe("TimeoutError");
});
