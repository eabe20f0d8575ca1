import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { value, web } from "./testing/rig.ts";
import { asks, lastAnswer } from "./testing/transparency-cases.ts";
import { type FrontName, frontNames, TwinFronts, type Way, ways } from "./testing/twin-fronts.ts";
import { until } from "./waiting.ts";

// The comparison of transparency.e2e.test.ts for what is a matter of when, and not only of what.

let twins: TwinFronts;

beforeAll(async () => {
  twins = await TwinFronts.start();
});
afterAll(() => twins.close());

const documented = "a front by the documentation";
const open = "a front that is as open as can be";
const places = ways.flatMap((way) => frontNames.map((front) => ({ way, front })));
const through = (fronts: readonly FrontName[]) => places.filter(({ front }) => fronts.includes(front));

async function dial(front: FrontName, way: Way, ...first: readonly (string | Buffer)[]): Promise<Socket> {
  const socket = connect({ port: twins.port(front, way), host: "127.0.0.1", noDelay: true });
  socket.on("error", () => socket.destroy());
  await once(socket, "connect");
  for (const piece of first) socket.write(piece);
  return socket;
}

/** What comes, up to and with these words. */
async function hear(socket: Socket, words: string): Promise<string> {
  let heard = "";
  while (!heard.includes(words)) {
    const [chunk] = (await Promise.race([once(socket, "data"), once(socket, "close")])) as [unknown];
    if (!Buffer.isBuffer(chunk)) throw new Error(`closed after '${heard}', before '${words}'`);
    heard += chunk.toString("latin1");
  }
  return heard;
}

/** The service's end of the connection, once it has a request. */
function served(head: string): Promise<Socket> {
  return new Promise((resolve) => {
    twins.origin.reply = {
      at: "head",
      say: (socket) => {
        socket.write(head);
        resolve(socket);
      },
    };
  });
}

/** The head may come before it, in a packet of its own. */
function firstPiece(): Promise<boolean> {
  const isThere = () => twins.origin.heard?.message().bytes === "first.".length;
  return until(isThere, { everyMs: 2, withinMs: 10_000 });
}

const eventStream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Accel-Buffering: no\r\n\r\n";

test.each(places)("an event is there while the stream is open: $way, $front", async ({ front, way }) => {
  const serving = served(eventStream);
  const client = await dial(front, way, ...asks("GET /events"));
  const service = await serving;
  service.write("data: one\n\n");
  expect(await hear(client, "data: one")).toContain(" 200 OK");
  service.write("data: two\n\n");
  await hear(client, "data: two");
  client.destroy();
  await once(service, "close");
});

test.each(through([open]))(
  "a piece of an upload is there before the rest is sent: $way, $front",
  async ({ front, way }) => {
    const serving = served("");
    const request = asks("POST /up", "Content-Length: 12\r\n", "first.");
    const client = await dial(front, way, ...request);
    const service = await serving;
    await firstPiece();
    expect(twins.origin.take()).toMatchObject({ body: "first.", complete: false });
    client.write("second");
    service.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    expect(await hear(client, "ok")).toContain(" 200 OK");
    client.destroy();
  },
);

test.each(through([open]))(
  "a client that goes away in an upload is seen: $way, $front",
  async ({ front, way }) => {
    const serving = served("");
    const client = await dial(front, way, ...asks("POST /up", "Content-Length: 1000000\r\n", "first."));
    const service = await serving;
    await firstPiece();
    client.destroy();
    await once(service, "close");
    expect(twins.origin.take()).toMatchObject({ body: "first.", complete: false });
  },
);

describe("a websocket", () => {
  const upgrade = asks("GET /ws").map((text) =>
    String(text).replace("close", "Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x"),
  );
  const switched =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: y\r\n\r\n";

  async function talk(front: FrontName, way: Way) {
    const serving = served(switched);
    const client = await dial(front, way, ...upgrade);
    const head = await hear(client, "\r\n\r\n");
    return { client, service: await serving, head };
  }

  test.each(through([documented, open]))("talks in both directions: $way, $front", async ({ front, way }) => {
    const { client, service, head } = await talk(front, way);
    expect(head).toMatch(/^HTTP\/1\.1 101 [\s\S]*Sec-WebSocket-Accept: y/);
    const large = "w".repeat(200_000);
    client.write(`${large}.`);
    await hear(service, ".");
    service.write(`${large}!`);
    await hear(client, "!");
    service.end();
    await once(client, "close");
  });

  test("lives through a reload, and new requests go to the new list", async () => {
    const { client, service } = await talk(documented, "inner");
    const other = await twins.rig.origin("two");
    value(await twins.rig.edge.apply(web([other.member]), 2));
    client.write("still here?");
    await hear(service, "here?");
    service.write("yes");
    await hear(client, "yes");
    const { got } = await twins.seen(documented, "inner", asks("GET /"), lastAnswer("end", "nobody asks me"));
    expect(got.body).toBe("two");
    value(await twins.rig.edge.apply(web([twins.origin.member]), 3));
    client.destroy();
  });
});

describe("an answer before the upload is over", () => {
  const tooMuch = "HTTP/1.1 413 Too Much\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno.";
  const body = Buffer.alloc(2_000_000, "x");
  const request = asks("POST /up", `Content-Length: ${body.length}\r\n`, body);

  test.each(places)("arrives where the service goes on reading: $way, $front", async ({ front, way }) => {
    const { got } = await twins.seen(front, way, request, {
      at: "head",
      say: (socket) => void socket.write(tooMuch),
    });
    expect(got.heads[0]).toMatch(/^HTTP\/1\.1 413 /);
    expect(got.body).toBe("no.");
  });

  test.each(places)(
    "of a service that closes at once comes, or is the front's 502, as nginx is quick or not: $way, $front",
    async ({ front, way }) => {
      for (let turn = 0; turn < 6; turn += 1) {
        const { got } = await twins.seen(front, way, request, {
          at: "head",
          say: (socket) => void socket.end(tooMuch, () => socket.destroy()),
        });
        expect(got.heads[0]).toMatch(/^HTTP\/1\.1 (413|502) /);
      }
    },
  );
});

test.each(places)("no service to connect to is the front's own 502: $way, $front", async ({ front, way }) => {
  await twins.origin.pause(async () => {
    const { got } = await twins.seen(front, way, asks("GET /"), lastAnswer("end", ""));
    expect(got.heads[0]).toMatch(/^HTTP\/1\.1 502 /);
    expect(got.body).toContain(front === documented ? "sorry, says the front" : "nginx/1");
  });
});
