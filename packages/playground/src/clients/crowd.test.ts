import type { Socket } from "node:net";
import { expect, test } from "vitest";
import type { Counts } from "./counts.ts";
import { Crowd } from "./crowd.ts";
import type { FailureReason } from "./failure.ts";
import { answer, type Behaviour, serve } from "./faulty-server.ts";
import type { KindName } from "./kinds.ts";
import type { TrafficPlan } from "./plan.ts";

// A strict client that can't fail is worthless: here every kind of failure is done to them on purpose.

const TIMEOUT_MS = 300;

async function run(
  target: TrafficPlan["target"],
  limit: number,
  kind: KindName = "keep-alive",
): Promise<Counts> {
  const crowd = new Crowd({
    target,
    versions: ["v1", "v2"],
    timeoutMs: TIMEOUT_MS,
    limit,
    groups: [{ kind, clients: 1, thinkMs: 0 }],
  });
  await crowd.run();
  return crowd.tally.read();
}

/** The second of three requests meets the misbehaviour; exactly one failure, of that reason, has to be counted. */
async function expectOneFailure(reason: FailureReason, misbehave: Behaviour, detail = ""): Promise<void> {
  const target = await serve((socket, path, before, body) => {
    if (before === 1) misbehave(socket, path, before, body);
    else socket.write(answer(path));
  });
  const counts = await run(target, 3);
  expect(counts.failures.map((failure) => failure.reason)).toEqual([reason]);
  expect(counts.failures[0]?.detail).toContain(detail);
  expect(counts).toMatchObject({
    requests: 3,
    failed: 1,
    kinds: [{ kind: "keep-alive", requests: 3, failed: 1 }],
  });
}

test("sound answers are no failures, and versions are counted", async () => {
  const target = await serve((socket, path, before) => {
    socket.write(answer(path, { version: before < 3 ? "v1" : "v2" }));
  });
  const counts = await run(target, 5);
  expect(counts).toMatchObject({ requests: 5, failed: 0, idleCloses: 0, failures: [] });
  expect(counts.versions.map(({ version, answers }) => [version, answers])).toEqual([
    ["v1", 3],
    ["v2", 2],
  ]);
});

test("an answer in many pieces is one answer", async () => {
  const target = await serve((socket, path) => {
    const text = answer(path);
    socket.write(text.slice(0, 20));
    setTimeout(() => socket.write(text.slice(20, 70)), 10);
    setTimeout(() => socket.write(text.slice(70)), 20);
  });
  expect(await run(target, 3)).toMatchObject({ requests: 3, failed: 0 });
});

test("a reset with the request in flight", () =>
  expectOneFailure("reset", (socket) => void socket.resetAndDestroy(), "ECONNRESET"));

test("an end instead of an answer", () => expectOneFailure("closed", (socket) => void socket.end()));

test("an end within the body", () =>
  expectOneFailure("short-body", (socket, path) => void socket.end(answer(path).slice(0, -3))));

test("an end within the headers", () =>
  expectOneFailure("short-body", (socket, path) => void socket.end(answer(path).slice(0, 30))));

test("a 502", () =>
  expectOneFailure(
    "status",
    (socket) => void socket.write("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nbad"),
    "502 bad",
  ));

test("no answer in time", () => expectOneFailure("timeout", () => {}));

test("half an answer in time", () =>
  expectOneFailure("timeout", (socket, path) => void socket.write(answer(path).slice(0, -1))));

test("an answer without a length", () =>
  expectOneFailure("malformed", (socket) => void socket.write("HTTP/1.1 200 OK\r\nX-Version: v1\r\n\r\n{}")));

test("not HTTP at all", () => expectOneFailure("malformed", (socket) => void socket.write("hello\r\n\r\n")));

test("more than the answer", () =>
  expectOneFailure("surplus", (socket, path) => void socket.write(`${answer(path)}HTTP/1.1 200`)));

test("an answer of a release that should not serve", () =>
  expectOneFailure("wrong-version", (socket, path) => void socket.write(answer(path, { version: "v9" }))));

test("an answer without a version", () =>
  expectOneFailure(
    "wrong-version",
    (socket, path) => void socket.write(answer(path).replace("X-Version: v1\r\n", "")),
  ));

test("an answer to somebody else's request", () =>
  expectOneFailure("wrong-body", (socket) => void socket.write(answer("/keep-alive/999"))));

test("a refused connection, for every request", async () => {
  const target = await serve(() => {});
  const counts = await run({ ...target, address: "127.0.0.9" }, 3);
  expect(counts.failures.map((failure) => failure.reason)).toEqual(Array(3).fill("no-connection"));
});

test("'connection: close' in an answer is obeyed", async () => {
  const target = await serve((socket, path) => {
    socket.end(answer(path, { extra: "Connection: close\r\n" }));
  });
  expect(await run(target, 5)).toMatchObject({ requests: 5, failed: 0, idleCloses: 0 });
});

test.each([
  ["post", 20_000],
  ["slow-upload", 32_000],
] as const)("%s sends all of its body, and notices when less of it arrived", async (kind, bodyBytes) => {
  const target = await serve((socket, path, before, body) => {
    socket.write(answer(path, { bytes: before === 0 ? body : body - 1 }));
  });
  const crowd = new Crowd({
    target,
    versions: ["v1"],
    timeoutMs: 5_000,
    limit: 2,
    groups: [{ kind, clients: 1, thinkMs: 0 }],
  });
  await crowd.run();
  const counts = crowd.tally.read();
  expect(counts).toMatchObject({ requests: 2, failed: 1 });
  expect(counts.failures[0]).toMatchObject({ reason: "wrong-body" });
  expect(counts.failures[0]?.detail).toContain(`"bytes":${bodyBytes}`);
});

test("'close' asks for the end and opens a connection for each request", async () => {
  let connections = 0;
  const seen = new Set<Socket>();
  const target = await serve((socket, path) => {
    if (!seen.has(socket)) connections += 1;
    seen.add(socket);
    socket.end(answer(path, { extra: "Connection: close\r\n" }));
  });
  expect(await run(target, 4, "close")).toMatchObject({ requests: 4, failed: 0 });
  expect(connections).toBe(4);
});
