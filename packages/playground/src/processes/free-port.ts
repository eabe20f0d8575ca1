import { readFileSync } from "node:fs";
import { createServer } from "node:net";

/** Ports below the kernel's own choice: a server that is restarted would find those taken by someone's connection. */
const LOWEST = 10_000;

/** Each try is a port at random; on a machine where this many are taken, something else is wrong. */
const TRIES = 100;

/** Not given twice; and the one port in our range that browsers, and with them `fetch`, refuse to speak to. */
const given = new Set<number>([10_080]);

/** Test files that run at the same time look among different ports: one found free is not taken yet. */
const WORKERS = 8;
const worker = Number(process.env.VITEST_POOL_ID ?? 0) % WORKERS;

/** A port that is free on all of these addresses, and that was not given before. */
export async function freePort(addresses: readonly string[]): Promise<number> {
  const highest = lowestEphemeral();
  for (let tried = 0; tried < TRIES; tried += 1) {
    const port = LOWEST + WORKERS * Math.floor((Math.random() * (highest - LOWEST)) / WORKERS) + worker;
    if (given.has(port)) continue;
    const free = await Promise.all(addresses.map((address) => isFree(address, port)));
    if (!free.every(Boolean)) continue;
    given.add(port);
    return port;
  }
  throw new Error(`no port free on ${addresses.join(", ")} in ${TRIES} tries`);
}

function lowestEphemeral(): number {
  const range = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8");
  return Math.max(Number.parseInt(range, 10), LOWEST + TRIES);
}

function isFree(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
