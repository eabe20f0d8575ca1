import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { takeLock } from "./lock.ts";
import { keptPort } from "./ports.ts";
import { identityOf } from "./process-identity.ts";
import { keptSecret } from "./secret.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "data-"));
});

test("a secret is made once, for our eyes only", () => {
  const file = join(folder, "admin.token");
  const secret = keptSecret(file);
  expect(secret).toMatch(/^[\w-]{43}$/);
  expect(keptSecret(file)).toBe(secret);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder)).toEqual(["admin.token"]);
});

test("a port of 0 is chosen free and kept; another is taken as it is", async () => {
  const file = join(folder, "ports.json");
  const port = await keptPort(file, "http", "127.0.0.1", 0);
  const server = createServer().listen(port, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  expect(await keptPort(file, "http", "127.0.0.1", 0)).toBe(port);
  expect(await keptPort(file, "nats", "127.0.0.1", 0)).not.toBe(port);
  expect(await keptPort(file, "http", "127.0.0.1", 8080)).toBe(8080);
});

test("a data directory has one holder, who is named; it is free again when given back", () => {
  const file = join(folder, "lock");
  const first = takeLock(file);
  expect(takeLock(file)).toMatchObject({
    ok: false,
    error: { code: "already-running", message: expect.stringContaining(`pid ${process.pid}`) as unknown },
  });
  if (first.ok) first.value();
  expect(takeLock(file).ok).toBe(true);
});

test.each([
  ["a process that ended", async () => ({ ...(await ended()) })],
  [
    "an earlier process with a number that is in use again",
    () => ({ pid: process.pid, startedAt: "boot 1" }),
  ],
])("the lock of %s holds nobody up", async (_, holder) => {
  const file = join(folder, "lock");
  writeFileSync(file, JSON.stringify(await holder()));
  expect(takeLock(file).ok).toBe(true);
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(identityOf(process.pid));
  expect(readdirSync(folder)).toEqual(["lock"]);
});

test("a lock that a power cut left empty holds nobody up", () => {
  const file = join(folder, "lock");
  writeFileSync(file, "");
  expect(takeLock(file).ok).toBe(true);
});

async function ended() {
  const child = spawn("sleep", ["60"]);
  await once(child, "spawn");
  const identity = identityOf(child.pid ?? 0);
  child.kill("SIGKILL");
  await once(child, "exit");
  return identity;
}
