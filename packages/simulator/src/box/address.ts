import type { Address, HostId } from "@siding/shared/ids";

/** `h7` is 10.0.1.7 and edge `e1` is 10.0.2.1. */
export function addressOf(hostId: HostId): Address {
  return `10.0.${hostId.startsWith("e") ? 2 : 1}.${hostId.slice(1)}`;
}

/** A monitoring system, say. */
export const strangerAddress: Address = "10.9.9.9";
