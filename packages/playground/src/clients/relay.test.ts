import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { DelayRelay } from "./relay.ts";

async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** A client connected through a relay, and the server's end of it. */
async function connectThrough(roundTripMs: number): Promise<{ client: Socket; served: Socket }> {
  const server = createServer({ allowHalfOpen: true });
  const port = await listen(server);
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const relay = new DelayRelay({ address: "127.0.0.1", port }, roundTripMs);
  const client = connect({ host: "127.0.0.1", port: await listen(relay.server), allowHalfOpen: true });
  const [served] = await accepted;
  onTestFinished(() => {
    client.destroy();
    served.destroy();
  });
  return { client, served };
}

async function elapsedUntil(event: Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await event;
  return performance.now() - startedMs;
}

test("everything takes half a round trip, each way", async () => {
  const { client, served } = await connectThrough(100);
  client.write("ping");
  expect(await elapsedUntil(once(served, "data"))).toBeGreaterThanOrEqual(49);
  served.write("pong");
  expect(await elapsedUntil(once(client, "data"))).toBeGreaterThanOrEqual(49);
});

test("an end arrives as late as data, after it, and leaves the other direction open", async () => {
  const { client, served } = await connectThrough(100);
  const got: string[] = [];
  client.on("data", (chunk) => void got.push(String(chunk)));
  served.end("last words");
  expect(await elapsedUntil(once(client, "end"))).toBeGreaterThanOrEqual(49);
  expect(got).toEqual(["last words"]);
  client.write("still here");
  expect(String((await once(served, "data"))[0])).toBe("still here");
});

test("a reset arrives as a reset, as late", async () => {
  const { client, served } = await connectThrough(100);
  client.write("x");
  await once(served, "data");
  const closed = new Promise((resolve) => client.on("error", () => {}).once("close", resolve));
  served.resetAndDestroy();
  expect(await elapsedUntil(closed)).toBeGreaterThanOrEqual(49);
  expect(client.errored).toMatchObject({ code: "ECONNRESET" });
});

test("without a delay it is only a relay, and a large body passes whole and in order", async () => {
  const { client, served } = await connectThrough(0);
  const body = Buffer.from(Array.from({ length: 2_000_000 }, (_, at) => at % 251));
  const received: Buffer[] = [];
  served.on("data", (chunk) => void received.push(chunk));
  client.end(body);
  await once(served, "end");
  expect(Buffer.concat(received).equals(body)).toBe(true);
});
