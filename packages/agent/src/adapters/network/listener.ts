import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { Address } from "@siding/shared/ids";
import { allPids, commandNameOf } from "../process/proc.ts";
import { canonicalAddress, isWildcard, parseTcpTable } from "./tcp-table.ts";

/** Who listens on an address and port, in words; null where it is free. */
export function listenerOn(address: Address, port: number): string | null {
  const own = canonicalAddress(address);
  const sockets = ["tcp", "tcp6"].flatMap((name) => parseTcpTable(readTable(name)));
  const taken = sockets.find(
    ({ state, localPort, localAddress }) =>
      state === "listening" && localPort === port && (localAddress === own || isWildcard(localAddress)),
  );
  if (taken === undefined) return null;
  const where = `${taken.localAddress}:${port}`;
  const pid = ownerOf(taken.inode);
  return pid === null
    ? `another process listens on ${where}`
    : `pid ${pid} (${commandNameOf(pid)}) listens on ${where}`;
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

function readTable(name: string): string {
  return attempt(() => readFileSync(`/proc/self/net/${name}`, "utf8"), "");
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
