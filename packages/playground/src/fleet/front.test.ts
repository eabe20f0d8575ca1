import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { Yard } from "../processes/yard.ts";
import { Front } from "./front.ts";

test("waits for the upstream's file, then proxies to it with the headers that the docs ask for", async () => {
  const yard = new Yard();
  onTestFinished(async () => void (await yard.close()));
  const seen: string[] = [];
  const service = createServer((request, response) => {
    seen.push(...["host", "x-forwarded-for", "x-real-ip"].map((name) => String(request.headers[name])));
    response.end("served");
  });
  onTestFinished(() => void service.close());
  await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
  const { port } = service.address() as AddressInfo;

  const starting = Front.start(yard, "front", {
    includeDir: yard.path("include"),
    upstream: "web",
    mode: "inner",
  });
  mkdirSync(yard.path("include/http"), { recursive: true });
  writeFileSync(yard.path("include/http/web.conf"), `upstream web { server 127.0.0.1:${port}; }\n`);
  const front = await starting;
  const answer = await fetch(front.url, { headers: { "x-forwarded-for": "203.0.113.7" } });
  expect(await answer.text()).toBe("served");
  expect(seen).toEqual(["127.0.0.1", "203.0.113.7, 127.0.0.1", "127.0.0.1"]);
});

test("a config that nginx refuses is shown in nginx's words", async () => {
  const yard = new Yard();
  onTestFinished(async () => void (await yard.close()));
  mkdirSync(yard.path("include/http"), { recursive: true });
  writeFileSync(yard.path("include/http/web.conf"), "upstream web { nonsense; }\n");
  const options = { includeDir: yard.path("include"), upstream: "web", mode: "inner" } as const;
  await expect(Front.start(yard, "front", options)).rejects.toThrow('unknown directive "nonsense"');
});
