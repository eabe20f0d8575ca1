import { readdirSync, readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Address } from "@siding/shared/ids";
import { markedInstanceOf } from "../process/marker.ts";
import { allPids, commandNameOf, unitOfPid } from "../process/proc.ts";
import { canonicalAddress, isWildcard, parseTcpLine, readTable, type TcpSocket } from "./tcp-table.ts";

/** Who listens on an address and port, in words; null where it is free. */
export function listenerOn(address: Address, port: number): string | null {
  const own = canonicalAddress(address);
  const taken = listeners().find(
    ({ localPort, localAddress }) => localPort === port && (localAddress === own || isWildcard(localAddress)),
  );
  if (taken === undefined) return null;
  const where = `${taken.localAddress}:${port}`;
  const pid = ownerOf(taken.inode);
  return pid === null
    ? `another process listens on ${where}`
    : `pid ${pid} (${whoIs(pid)}) listens on ${where}`;
}

/** Threads of a process that has ended may hold its port a moment longer than its pid says, on a busy machine. */
const lingerMs = 1_000;
const lingerPollMs = 10;

/** The same, where the port does not become free in a moment. */
export async function lastingListenerOn(address: Address, port: number): Promise<string | null> {
  const deadlineAtMs = performance.now() + lingerMs;
  for (;;) {
    const listener = listenerOn(address, port);
    if (listener === null || performance.now() >= deadlineAtMs) return listener;
    await sleep(lingerPollMs);
  }
}

/** Its program, and the service of ours or the unit that it belongs to. */
function whoIs(pid: number): string {
  const belongsTo = markedInstanceOf(pid) ?? unitOfPid(pid);
  return belongsTo === null ? commandNameOf(pid) : `${commandNameOf(pid)}, ${belongsTo}`;
}

/** Null where the process can't be looked into, or is in another PID namespace. */
function ownerOf(inode: string): number | null {
  return allPids().find((pid) => descriptorsOf(pid).includes(`socket:[${inode}]`)) ?? null;
}

function descriptorsOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return attempt(() => readdirSync(folder), []).map((fd) =>
    attempt(() => readlinkSync(`${folder}/${fd}`), ""),
  );
}

/** The kernel lists those who listen first, so that the rest, which may be long, is not read. */
function listeners(): TcpSocket[] {
  return ["tcp", "tcp6"].flatMap((name) => {
    const found: TcpSocket[] = [];
    readTable(`/proc/self/net/${name}`, (lines) => {
      const sockets = lines
        .toString("latin1")
        .split("\n")
        .flatMap((line) => parseTcpLine(line) ?? []);
      found.push(...sockets.filter(({ state }) => state === "listening"));
      return sockets.every(({ state }) => state === "listening");
    });
    return found;
  });
}

/** What is gone, or not ours to see, is not there. */
function attempt<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch (error) {
    if (["ENOENT", "ESRCH", "EACCES", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? ""))
      return otherwise;
    throw error;
  }
}
