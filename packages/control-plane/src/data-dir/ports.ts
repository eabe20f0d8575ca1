import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { z } from "zod";
import { readIfThere, writeDurably } from "./durable-file.ts";

const Kept = z.partialRecord(z.enum(["http", "nats"]), z.int().min(1).max(65_535));
type PortName = "http" | "nats";

/**
 * Below the kernel's own choice: a port that comes back after a restart must not be somebody's connection meanwhile.
 * Above 10080, which browsers and fetch refuse to talk to.
 */
const lowest = 10_100;
const tries = 100;

/**
 * The port to listen on. 0 in the config means: a free one, chosen at the first start and the same ever after, since
 * agents and people remember it.
 */
export async function keptPort(file: string, name: PortName, host: string, wanted: number): Promise<number> {
  if (wanted !== 0) return wanted;
  const kept = readKept(file);
  const port = kept[name];
  if (port !== undefined) return port;
  const fresh = await freePort(host);
  writeDurably(file, `${JSON.stringify({ ...readKept(file), [name]: fresh })}\n`, 0o644);
  return fresh;
}

function readKept(file: string): z.infer<typeof Kept> {
  const text = readIfThere(file);
  return text === null ? {} : Kept.parse(JSON.parse(text));
}

async function freePort(host: string): Promise<number> {
  const range = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8");
  const highest = Math.max(Number.parseInt(range, 10), lowest + tries);
  for (let tried = 0; tried < tries; tried += 1) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest));
    if (await isFree(host, port)) return port;
  }
  throw new Error(`no free port on ${host} in ${tries} tries`);
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (cause: NodeJS.ErrnoException) => {
      if (cause.code === "EADDRINUSE") resolve(false);
      else reject(new Error(`can't listen on ${host}: ${cause.message}`, { cause }));
    });
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
