import type { Address } from "@siding/shared/ids";
import { err, messageOf, ok } from "@siding/shared/result";
import type { CountConnections } from "../../ports/network.ts";
import { parseRef } from "../process/proc.ts";
import { canonicalAddress, eachPeer } from "./tcp-table.ts";

/**
 * Counts a service's established connections in its own network namespace, on its address and port. Also those count
 * that the kernel has accepted and the service has not.
 *
 * @param address what the service listens on, or is reached at where it listens on everything
 */
export function countOn(address: Address): CountConnections {
  const own = canonicalAddress(address);
  return (process, port) => {
    const pid = parseRef(process)?.pid ?? "self";
    const counts = new Map<Address, number>();
    const found = (peer: Address) => void counts.set(peer, (counts.get(peer) ?? 0) + 1);
    try {
      for (const table of ["tcp", "tcp6"]) eachPeer(`/proc/${pid}/net/${table}`, own, port, found);
    } catch (cause) {
      const message = `the connections of pid ${pid} could not be read: ${messageOf(cause)}`;
      return Promise.resolve(err({ code: "connections-unreadable", message }));
    }
    return Promise.resolve(ok([...counts].map(([peer, count]) => ({ address: peer, count }))));
  };
}
