import { createHash } from "node:crypto";
import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Front } from "./testing/front.ts";
import type { Answer } from "./testing/origin.ts";
import { Rig, value, web } from "./testing/rig.ts";
import { ask } from "./testing/strict-client.ts";

/** The settings that a user's front needs for each of these by itself; inner must not ask for more. */
const openFront = `
  client_max_body_size 0;
  proxy_http_version 1.1;
  proxy_buffering off;
  proxy_request_buffering off;
  proxy_buffer_size 64k;
  proxy_buffers 4 64k;
  proxy_set_header Host $http_host;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection $http_connection;
  proxy_pass_header X-Accel-Limit-Rate;
  proxy_pass_header Server;
  proxy_pass_header Date;
  proxy_ignore_headers X-Accel-Limit-Rate;`;

const twentyKilobytes = "b".repeat(20_000);
let rig: Rig;
let front: Front;

const answers: Record<string, Answer> = {
  "/digest": (incoming, response) => {
    const hash = createHash("sha256");
    incoming.on("data", (chunk: Buffer) => hash.update(chunk));
    incoming.on("end", () => response.end(hash.digest("hex")));
  },
  "/headers": (incoming, response) => {
    response.setHeader("x-big", twentyKilobytes);
    response.setHeader("x-accel-limit-rate", "1000000");
    response.setHeader("server", "the-service");
    response.setHeader("date", "Thu, 01 Jan 1970 00:00:00 GMT");
    response.setHeader("x_under_score", "kept");
    response.end(JSON.stringify(incoming.headers));
  },
  "/events": (incoming, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("data: first\n\n");
    incoming.on("close", () => response.end());
  },
  "/early": (_, response) => {
    response.writeHead(413).end("too much");
  },
};
const echoPath: Answer = (incoming, response) => response.end(incoming.url);

beforeAll(async () => {
  rig = new Rig();
  const origin = await rig.origin("one", (incoming, response) =>
    (answers[incoming.url ?? ""] ?? echoPath)(incoming, response),
  );
  // The smallest websocket that shows both directions: after the upgrade, what comes is sent back.
  origin.server.on("upgrade", ({ headers }, socket) => {
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${headers.upgrade}\r\n\r\n`,
    );
    socket.on("error", () => socket.destroy());
    socket.pipe(socket);
  });
  value(await rig.edge.start());
  value(await rig.edge.apply(web([origin.member]), 1));
  front = await rig.front(openFront);
});
afterAll(() => rig.close());

test("a body of 50 MB arrives whole", async () => {
  const body = Buffer.alloc(50 * 1024 * 1024, "siding ");
  const answer = await ask({ ...front, path: "/digest", method: "POST", body });
  expect(answer).toMatchObject({ status: 200, body: createHash("sha256").update(body).digest("hex") });
});

test("headers of 20 KB pass both ways; odd ones, and those that nginx would act upon, as they are", async () => {
  const large = "a".repeat(7_000);
  const headers = { host: "shop.example:8443", "x-one": large, "x-two": large, "x-three": large };
  const direct = { socketPath: `${rig.current}/web.sock`, path: "/headers" };
  const answer = await rawGet(direct, { ...headers, x_under_score: "yes", "x-weird!": "v" });
  const seen = JSON.parse(answer.body) as Record<string, string>;
  expect(seen).toMatchObject({ ...headers, x_under_score: "yes", "x-weird!": "v" });
  expect(answer.headers).toMatchObject({
    "x-big": twentyKilobytes,
    "x-accel-limit-rate": "1000000",
    server: "the-service",
    date: "Thu, 01 Jan 1970 00:00:00 GMT",
    x_under_score: "kept",
  });
  const throughFront = await ask({ ...front, path: "/headers", headers: { "x-one": large, host: "a.b" } });
  expect(throughFront.headers).toMatchObject({ "x-big": twentyKilobytes, server: "the-service" });
  expect(JSON.parse(throughFront.body)).toMatchObject({ "x-one": large, host: "a.b" });
});

test("a path arrives as it was written", async () => {
  const path = "/a%2Fb//c/%20d?x=%26&y[]=1";
  expect((await ask({ ...front, path })).body).toBe(path);
});

test("the first event of a stream arrives while the stream is open", async () => {
  const sent = request({ host: "127.0.0.1", port: front.port, path: "/events", agent: false }).end();
  const [response] = (await once(sent, "response")) as [import("node:http").IncomingMessage];
  const [chunk] = (await once(response, "data")) as [Buffer];
  expect(chunk.toString()).toBe("data: first\n\n");
  sent.destroy();
});

test("an answer that comes before the body was sent is passed on", async () => {
  const answer = await ask({ ...front, path: "/early", method: "POST", body: Buffer.alloc(200_000) });
  expect(answer).toMatchObject({ status: 413, body: "too much" });
});

test("a websocket lives through a reload, in both directions", async () => {
  const socket = connect(front.port, "127.0.0.1");
  socket.write("GET /ws HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  const [head] = (await once(socket, "data")) as [Buffer];
  expect(head.toString()).toMatch(/^HTTP\/1\.1 101 [\s\S]*Upgrade: websocket/);
  const echo = async (text: string) => {
    socket.write(text);
    const [data] = (await once(socket, "data")) as [Buffer];
    return data.toString();
  };
  expect(await echo("before")).toBe("before");
  const other = await rig.origin("two");
  value(await rig.edge.apply(web([other.member]), 2));
  expect(await echo("after")).toBe("after");
  expect((await ask(front)).body).toBe("two");
  socket.destroy();
});

async function rawGet(to: { socketPath: string; path: string }, headers: Record<string, string>) {
  const sent = request({ ...to, headers, agent: false, maxHeaderSize: 128 * 1024 }).end();
  const [response] = (await once(sent, "response")) as [import("node:http").IncomingMessage];
  let body = "";
  for await (const chunk of response) body += String(chunk);
  return { headers: response.headers, body };
}
