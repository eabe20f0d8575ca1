import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { asAdmin, expectProblem, useServedApi } from "./served-api.fixture.ts";

const { call, served } = useServedApi();

test.each([
  ["{", "application/json", 400, "malformed-json"],
  ["", "application/json", 400, "malformed-json"],
  [Buffer.from([0x22, 0xff, 0x22]), "application/json", 400, "malformed-json"],
  ["a: [", "application/yaml", 400, "malformed-yaml"],
  [`a: &a [x]\nb: [${Array(101).fill("*a").join()}]`, "application/yaml", 400, "malformed-yaml"],
  ["name=web", "application/x-www-form-urlencoded", 415, "unsupported-media-type"],
  ["null", "application/json", 422, "invalid-request"],
  ["[]", "application/json", 422, "invalid-request"],
])("body %j as %s is refused", async (body, type, status, code) => {
  const answer = await call("PUT", "/v1/services/web", body, { "content-type": type });
  await expectProblem(answer, status, code);
});

/** Sends as much of a body as the server takes; gives the answer and how much that was. */
async function flood(path: string, announced: boolean): Promise<{ answer: IncomingMessage; sent: number }> {
  const size = 1_000_000_000;
  const length: Record<string, string> = announced ? { "content-length": String(size) } : {};
  const headers = { ...asAdmin, "content-type": "application/json", ...length };
  const outgoing = request(`${served().server.url}${path}`, { method: "PUT", headers });
  const chunk = Buffer.alloc(65_536, " ");
  let sent = 0;
  let isOpen = true;
  outgoing.once("close", () => {
    isOpen = false;
  });
  // The server hangs up while we are still sending: that is what is wanted.
  outgoing.on("error", () => undefined);
  const closed = once(outgoing, "close");
  const answered = once(outgoing, "response") as Promise<[IncomingMessage]>;
  const pump = async () => {
    while (isOpen && sent < size) {
      sent += chunk.byteLength;
      if (!outgoing.write(chunk))
        await Promise.race([new Promise((resolve) => outgoing.once("drain", resolve)), closed]);
      await turn();
    }
  };
  const pumping = pump();
  const [answer] = await answered;
  answer.resume();
  await pumping;
  return { answer, sent };
}

test.each([true, false])(
  "a body of 1 GB (length announced: %s) is refused early, and the line closed",
  async (announced) => {
    const before = process.memoryUsage().rss;
    const { answer, sent } = await flood("/v1/services/web", announced);
    expect([answer.statusCode, answer.headers.connection]).toEqual([413, "close"]);
    expect(sent).toBeLessThan(200_000_000);
    expect(process.memoryUsage().rss - before).toBeLessThan(200_000_000);
  },
);
