import { readFile } from "node:fs/promises";
import type { Address } from "@siding/shared/ids";
import { err, messageOf, ok } from "@siding/shared/result";
import type { PeerCount } from "../../machine/event.ts";
import type { CountConnections } from "../../ports/network.ts";
import { parseRef } from "../process/proc.ts";
import { canonicalAddress, parseTcpTable } from "./tcp-table.ts";

/**
 * Counts a service's established connections in its own network namespace, on its address and port. Also those count
 * that the kernel has accepted and the service has not.
 *
 * @param address what the service listens on, or is reached at where it listens on everything
 */
export function countOn(address: Address): CountConnections {
  const own = canonicalAddress(address);
  return async (process, port) => {
    const pid = parseRef(process)?.pid ?? "self";
    try {
      const tables = await Promise.all([readFile(`/proc/${pid}/net/tcp`, "utf8"), readTcp6(pid)]);
      const sockets = tables
        .flatMap(parseTcpTable)
        .filter(
          (each) => each.state === "established" && each.localPort === port && each.localAddress === own,
        );
      return ok(byPeer(sockets.map((each) => each.peerAddress)));
    } catch (cause) {
      const message = `the connections of pid ${pid} could not be read: ${messageOf(cause)}`;
      return err({ code: "connections-unreadable", message });
    }
  };
}

/** A kernel without IPv6 has no such table. */
async function readTcp6(pid: number | string): Promise<string> {
  try {
    return await readFile(`/proc/${pid}/net/tcp6`, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

function byPeer(addresses: readonly Address[]): PeerCount[] {
  const counts = new Map<Address, number>();
  for (const address of addresses) counts.set(address, (counts.get(address) ?? 0) + 1);
  return [...counts].map(([address, count]) => ({ address, count }));
}
