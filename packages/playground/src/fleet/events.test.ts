import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { Api } from "./api.ts";
import { followEvents, type RolloutEvent } from "./events.ts";

async function serve(status: number, text: string): Promise<{ api: Api; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.url} ${request.headers.authorization} ${String(request.headers["last-event-id"])}`);
    response.writeHead(status, { "content-type": "text/event-stream" }).end(text);
  });
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { api: new Api(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, "secret"), asked };
}

async function collect(api: Api, after = 0): Promise<RolloutEvent[]> {
  return Array.fromAsync(followEvents(api, "r1", { after }));
}

test("gives each event with its number, type and data, and no comments", async () => {
  const text =
    'id: 7\nevent: host-staged\ndata: {"hostId":"h1"}\n\n: alive\n\nid: 9\nevent: done\ndata: 1\n\n';
  const { api, asked } = await serve(200, text);
  expect(await collect(api, 3)).toEqual([
    { id: 7, type: "host-staged", data: { hostId: "h1" } },
    { id: 9, type: "done", data: 1 },
  ]);
  expect(asked).toEqual(["/v1/rollouts/r1/events Bearer secret 3"]);
});

test("a refusal is an error, not an empty stream", async () => {
  const { api } = await serve(404, "");
  await expect(collect(api)).rejects.toThrow("answered 404");
});
