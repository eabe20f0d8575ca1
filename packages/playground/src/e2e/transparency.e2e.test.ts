import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { beforeAll, describe, expect, test } from "vitest";
import { Front } from "../fleet/front.ts";
import { SERVICE } from "../fleet/service-spec.ts";
import { useFleet } from "./scene.ts";

// What passes the user's nginx alone has to pass with Siding behind it, seen through a whole fleet. The comparison in every
// detail, without a fleet, is the agent's: adapters/nginx/transparency.e2e.test.ts.

const MEGABYTE = 1_000_000;

const fleet = useFleet({ hosts: 2, edges: 1, releases: [{ version: "v1", variant: "sound" }] });
let frontAlone: Front;

beforeAll(async () => {
  const { yard, hosts, ports } = fleet();
  const includeDir = yard.path("without-siding");
  mkdirSync(`${includeDir}/http`, { recursive: true });
  const server = `${hosts[0]?.address}:${ports.blue}`;
  writeFileSync(`${includeDir}/http/web.conf`, `upstream ${SERVICE} { server ${server}; }\n`);
  frontAlone = await Front.start(yard, "front-alone", {
    includeDir: includeDir,
    upstream: SERVICE,
    mode: "inner",
  });
});

describe.each([
  { way: "front -> service", front: () => frontAlone },
  { way: "front -> Siding -> service", front: () => fleet().edge().front },
])("$way", ({ front }) => {
  const url = (path: string) => `${front().url}${path}`;

  test("a request body of 50 MB", async () => {
    const reply = await fetch(url("/upload"), { method: "POST", body: Buffer.alloc(50 * MEGABYTE) });
    expect(await reply.json()).toMatchObject({ bytes: 50 * MEGABYTE });
  });

  test("an answer of 50 MB", async () => {
    const reply = await fetch(url(`/bytes?size=${50 * MEGABYTE}`));
    expect((await reply.arrayBuffer()).byteLength).toBe(50 * MEGABYTE);
  });

  test("headers of 20 KB both ways, and names with an underscore", async () => {
    const cookie = "c".repeat(20_000);
    const { padding, body } = await getWithHeaders(url("/headers?size=20000"), {
      cookie,
      under_score: "kept",
    });
    expect(padding).toHaveLength(20_000);
    expect(JSON.parse(body)).toMatchObject({ headers: { cookie, under_score: "kept" } });
  });

  test("server-sent events arrive one by one", async () => {
    const reply = await fetch(url("/events?count=5"));
    const pieces: string[] = [];
    for await (const piece of reply.body ?? []) pieces.push(Buffer.from(piece).toString());
    expect(pieces.join("").match(/data: v1/g)).toHaveLength(5);
    expect(pieces.length).toBeGreaterThan(2);
  });

  test("a websocket, with frames of every length form", async () => {
    const socket = new WebSocket(url("/").replace("http", "ws"));
    await once(socket, "open");
    for (const length of [10, 10_000, 200_000]) {
      socket.send("w".repeat(length));
      const [event] = (await once(socket, "message")) as [MessageEvent];
      expect(event.data).toHaveLength(length);
    }
    socket.close();
    await once(socket, "close");
  });
});

/** A GET by node:http, since fetch refuses headers as long as these. */
function getWithHeaders(
  url: string,
  headers: Record<string, string>,
): Promise<{ padding: unknown; body: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { headers, maxHeaderSize: 64_000 }, (incoming) => {
      let body = "";
      incoming.on("data", (chunk) => {
        body += String(chunk);
      });
      incoming.on("end", () => resolve({ padding: incoming.headers["x-padding"], body }));
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}
