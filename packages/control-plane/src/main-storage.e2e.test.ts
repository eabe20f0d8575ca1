import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { makeLargeLedger } from "./ledger/large.fixture.ts";
import { program } from "./program.fixture.ts";

const patience = { timeout: 30_000, interval: 20 };
const Endpoints = z.object({ http: z.string(), nats: z.string() });

let folder: string;
let dataDir: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "storage-"));
  dataDir = join(folder, "data");
  mkdirSync(dataDir);
  writeFileSync(join(folder, "siding.yaml"), JSON.stringify({ dataDir: "data", logLevel: "warn" }));
});

/** Starts it; gives where it is once it says that it is ready, and how long that took. */
async function start() {
  const file = join(dataDir, "endpoints.json");
  rmSync(file, { force: true });
  const startedMs = performance.now();
  const args = [program, "--config", join(folder, "siding.yaml")];
  const child = spawn(process.execPath, args, { stdio: "ignore", detached: true });
  const ended = once(child, "close");
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    await ended;
  };
  const stop = () => end("SIGTERM");
  const kill = () => end("SIGKILL");
  onTestFinished(stop);
  const { http } = await vi.waitFor(() => Endpoints.parse(JSON.parse(readFileSync(file, "utf8"))), patience);
  return { http, stop, kill, readyMs: performance.now() - startedMs };
}

async function ask(url: string, method: string, path: string, body?: string): Promise<number> {
  const headers = { authorization: authorization(), "content-type": "application/json" };
  const answer = await fetch(`${url}${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
  await answer.arrayBuffer();
  return answer.status;
}

/** The admin's token as a header. */
function authorization(): string {
  return `Bearer ${readFileSync(join(dataDir, "admin.token"), "utf8").trim()}`;
}

/** A spec that takes up some room on the disk. */
const padding = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`P${index}`, "x".repeat(500)]));

const declare = (url: string, name: string, port: number) => {
  const spec = {
    name,
    hosts: { match: { role: "web" } },
    run: { command: ["node"], env: padding },
    port,
    health: { http: "/healthz" },
    edge: { match: { role: "edge" }, upstream: name },
  };
  return ask(url, "PUT", `/v1/services/${name}`, JSON.stringify(spec));
};

test("with 100,000 events behind it, it is ready soon", async () => {
  makeLargeLedger(join(dataDir, "ledger.db"), 100);
  const started = await start();
  process.stderr.write(`ready after ${Math.round(started.readyMs)} ms with 100,000 events (target 2,000)\n`);
  expect(await ask(started.http, "GET", "/v1/hosts/h999")).toBe(200);
});

/** A small file system of its own as data directory; false where this machine does not let us. */
function mountSmall(): boolean {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "siding-test", dataDir], { stdio: "pipe" });
    onTestFinished(() => void execFileSync("umount", ["-l", dataDir]));
    return true;
  } catch {
    process.stderr.write("SKIPPED: no file system can be mounted here, so no disk runs full for real\n");
    return false;
  }
}

test("a disk that is full: nothing is half done, it says so, and goes on once there is room", async ({
  skip,
}) => {
  if (!mountSmall()) return skip();
  const started = await start();
  expect(await declare(started.http, "before", 8_000)).toBe(201);
  const ballast = join(dataDir, "ballast");
  const { bavail, bsize } = statfsSync(dataDir);
  writeFileSync(ballast, Buffer.alloc(bavail * bsize));
  const answers: number[] = [];
  for (let port = 8_001; answers.at(-1) !== 503 && port < 8_100; port += 1) {
    answers.push(await declare(started.http, `s${port}`, port));
  }
  expect(answers.at(-1)).toBe(503);
  expect(await ask(started.http, "POST", "/v1/artifacts", "x".repeat(10_000))).toBe(503);
  expect(readdirSync(join(dataDir, "artifacts", "incoming"))).toEqual([]);
  const refused = `s${8_000 + answers.length}`;
  expect(await ask(started.http, "GET", `/v1/services/${refused}`)).toBe(404);
  // It tries a small write several times a second, and says that all is well when that finds room.
  await vi.waitFor(async () => {
    expect(await declare(started.http, refused, 9_000)).toBe(503);
    expect(await ask(started.http, "GET", "/readyz")).toBe(503);
  }, patience);
  expect(await ask(started.http, "GET", "/healthz")).toBe(200);
  rmSync(ballast);
  await vi.waitFor(async () => expect(await ask(started.http, "GET", "/readyz")).toBe(200), patience);
  expect(await declare(started.http, refused, 9_000)).toBe(201);
  await started.stop();
  const again = await start();
  expect(await ask(again.http, "GET", "/v1/services/before")).toBe(200);
  expect(await ask(again.http, "GET", `/v1/services/${refused}`)).toBe(200);
});

test("a backup that finds no room is not restored, and nothing has changed", async ({ skip }) => {
  if (!mountSmall()) return skip();
  const started = await start();
  expect(await declare(started.http, "before", 8_000)).toBe(201);
  const config = ["--config", join(folder, "siding.yaml")];
  const backup = join(folder, "a.backup");
  const maintain = (verb: string) =>
    execFileSync(process.execPath, [program, ...config, verb, backup], { stdio: "pipe" });
  maintain("backup");
  const { bavail, bsize } = statfsSync(dataDir);
  // Room enough for a lock and not for a ledger.
  writeFileSync(join(dataDir, "ballast"), Buffer.alloc((bavail - 6) * bsize));
  expect(() => maintain("restore")).toThrow(
    /not restored, and nothing has changed: .*(full|no space left|disk I)/,
  );
  expect(await ask(started.http, "GET", "/v1/services/before")).toBe(200);
  rmSync(join(dataDir, "ballast"));
  maintain("restore");
  await vi.waitFor(async () => expect(await ask(started.http, "GET", "/readyz")).toBe(200), patience);
  expect(await ask(started.http, "GET", "/v1/services/before")).toBe(200);
});

test("killed in the middle of a fetch it leaves nothing, and fetches anew when asked again", async () => {
  const whole = Buffer.alloc(500_000, "artifact");
  let stalls = true;
  const site = createServer((_, response) => {
    response.writeHead(200, { "content-length": whole.length });
    if (stalls) response.write(whole.subarray(0, 300_000));
    else response.end(whole);
  }).listen(0, "127.0.0.1");
  onTestFinished(() => void site.close());
  onTestFinished(() => site.closeAllConnections());
  await once(site, "listening");
  const url = `http://127.0.0.1:${(site.address() as AddressInfo).port}/a.tar.gz`;
  const sha256 = createHash("sha256").update(whole).digest("hex");
  const release = JSON.stringify({ version: "v1", artifact: { url, sha256 } });
  const register = (at: string) => ask(at, "POST", "/v1/services/web/releases", release);
  const files = (...path: string[]) => readdirSync(join(dataDir, "artifacts", ...path));
  const first = await start();
  expect(await declare(first.http, "web", 8_000)).toBe(201);
  const asked = register(first.http).catch(() => "cut off");
  await vi.waitFor(() => expect(files("incoming")).toHaveLength(1), patience);
  await first.kill();
  expect(await asked).toBe("cut off");
  stalls = false;
  const again = await start();
  expect([files(), files("incoming")]).toEqual([["incoming"], []]);
  expect(await register(again.http)).toBe(201);
  expect(await register(again.http)).toBe(200);
  expect(files()).toHaveLength(2);
});

test("20 artifacts are sent at a time, and the next in line has the place of who goes", async () => {
  const { http } = await start();
  // More than a connection holds for a reader who does not read.
  const large = Buffer.alloc(30_000_000, "x");
  const headers = { authorization: authorization() };
  await (await fetch(`${http}/v1/artifacts`, { method: "POST", headers, body: large })).arrayBuffer();
  const path = `/v1/artifacts/sha256:${createHash("sha256").update(large).digest("hex")}`;
  const sent: number[] = [];
  const readers = Array.from({ length: 23 }, (_, index) => {
    const reader = connect(Number(new URL(http).port), "127.0.0.1");
    reader.on("error", () => {});
    reader.once("data", (head: Buffer) => {
      reader.pause();
      if (head.toString("latin1").startsWith("HTTP/1.1 200")) sent.push(index);
    });
    onTestFinished(() => void reader.destroy());
    return reader;
  });
  for (const [index, reader] of readers.entries()) {
    reader.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: ${authorization()}\r\n\r\n`);
    // One after the other, as long as there are places.
    await vi.waitFor(() => expect(sent).toHaveLength(Math.min(index + 1, 20)), patience);
  }
  readers[3]?.destroy();
  await vi.waitFor(() => expect(sent).toHaveLength(21), patience);
  const metrics = await (await fetch(`${http}/metrics`, { headers })).text();
  expect(metrics).toContain("siding_artifact_downloads 20");
});
