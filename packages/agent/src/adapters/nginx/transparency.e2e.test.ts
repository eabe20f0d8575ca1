import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Message } from "./testing/message-reader.ts";
import { asks, type Case, cases, lastAnswer, ok } from "./testing/transparency-cases.ts";
import { type FrontName, frontNames, TwinFronts, type Way } from "./testing/twin-fronts.ts";

// "Inner adds no policy" (design section 5): the same nginx of the user's, once straight in front of a service and once
// with Siding's inner nginx between. What the service hears and what the client gets have to be the same. What is not
// one request and one answer is in transparency-streams.e2e.test.ts.

let twins: TwinFronts;

beforeAll(async () => {
  twins = await TwinFronts.start();
});
afterAll(() => twins.close());

async function compared(front: FrontName, way: Way, { request, reply }: Pick<Case, "request" | "reply">) {
  const { heard, got } = await twins.seen(front, way, request, reply);
  const inChunks = String(request[0]).includes("Transfer-Encoding: chunked");
  return { heard: heard && asHeard(heard, inChunks), got: { ...got, heads: got.heads.map(withoutClock) } };
}

/** Headers of the way between two proxies, and not of the request. */
const ofTheConnection = ["connection"];
/** The same, where a body comes in chunks: nginx that has it all already says its length instead. */
const ofTheFraming = ["content-length", "transfer-encoding"];

/** Differently named headers have no order, and the HTTP version is between two proxies too. */
function asHeard({ heads, framing, ...heard }: Message, inChunks: boolean) {
  const left = inChunks ? [...ofTheConnection, ...ofTheFraming] : ofTheConnection;
  const [line = "", ...fields] = heads.join("").trimEnd().split("\r\n");
  const sorted = fields
    .map((field) => ({ field, name: (/^[^:]*/.exec(field)?.[0] ?? "").toLowerCase() }))
    .filter(({ name }) => !left.includes(name))
    .toSorted((one, other) => (one.name === other.name ? 0 : one.name < other.name ? -1 : 1));
  const head = [line.replace(/1\.[01]$/, "1.x"), ...sorted.map(({ field }) => field)].join("\n");
  return { ...heard, head, ...(inChunks ? {} : { framing }) };
}

/** The front's own clock goes on between two answers; a service's date is of another century. */
function withoutClock(head: string): string {
  return head.replaceAll(/^Date: .*20\d\d.*$/gm, "Date: now");
}

/** Known differences that are asserted below. */
const differs = (front: FrontName, name: string) =>
  front === "a front with nothing but proxy_pass" && name.startsWith("chunks that break off");

describe.each(frontNames)("%s", (front) => {
  test.each(cases.filter(({ name }) => !differs(front, name)))("$name", async (each) => {
    const alone = await compared(front, "alone", each);
    expect(await compared(front, "inner", each)).toEqual(alone);
  });
});

describe("what is not the same, and is said in docs/edge.md", () => {
  const both = async (front: FrontName, each: Pick<Case, "request" | "reply">) => ({
    alone: await twins.seen(front, "alone", each.request, each.reply),
    inner: await twins.seen(front, "inner", each.request, each.reply),
  });

  test("a service behind a front of HTTP/1.0 is asked by HTTP/1.1, without a word on the connection", async () => {
    const { alone, inner } = await both("a front with nothing but proxy_pass", {
      request: asks("GET /"),
      reply: ok,
    });
    expect(alone.heard?.heads[0]).toBe("GET / HTTP/1.0\r\nHost: web\r\nConnection: close\r\n");
    expect(inner.heard?.heads[0]).toBe("GET / HTTP/1.1\r\nHost: web\r\n");
  });

  test("chunks that break off, behind a front of HTTP/1.0, look complete, as any answer without a length there", async () => {
    const reply = lastAnswer("end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    const { alone, inner } = await both("a front with nothing but proxy_pass", {
      request: asks("GET /"),
      reply,
    });
    expect([alone.got.complete, inner.got.complete]).toEqual([false, true]);
    const plain = lastAnswer("end", "HTTP/1.0 200 OK\r\n\r\nhalf of");
    const broken = await both("a front with nothing but proxy_pass", {
      request: asks("GET /"),
      reply: plain,
    });
    expect([broken.alone.got.complete, broken.inner.got.complete]).toEqual([true, true]);
  });

  test("a client without a host is refused where the front passes that on by HTTP/1.1", async () => {
    const request = ["GET /old HTTP/1.0\r\n\r\n"];
    const { alone, inner } = await both("a front that is as open as can be", { request, reply: ok });
    expect(alone.heard?.heads[0]).toBe("GET /old HTTP/1.1\r\n");
    expect(alone.got.heads[0]).toMatch(/^HTTP\/1\.1 200 /);
    expect(inner.heard).toBeNull();
    expect(inner.got.heads[0]).toMatch(/^HTTP\/1\.1 400 /);
    const named = await both("a front by the documentation", { request, reply: ok });
    expect([named.alone.got.heads[0], named.inner.got.heads[0]]).toEqual([
      expect.stringContaining(" 200 "),
      expect.stringContaining(" 200 "),
    ]);
  });
});
