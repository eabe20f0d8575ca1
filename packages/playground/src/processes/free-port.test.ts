import { createServer } from "node:net";
import { expect, test } from "vitest";
import { freePort } from "./free-port.ts";

test("gives ports that can be listened on at every address, and none twice", async () => {
  const addresses = ["127.0.1.1", "127.0.1.2"];
  const ports = await Promise.all(Array.from({ length: 10 }, () => freePort(addresses)));
  expect(new Set(ports).size).toBe(10);
  for (const address of addresses) {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(ports[0], address, resolve);
    });
    server.close();
  }
});
