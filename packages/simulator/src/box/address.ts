import type { Address, HostId } from "@siding/shared/ids";

/** `h7` is 10.0.1.7 and edge `e1` is 10.0.2.1; after each move a host is in another network. */
export function addressOf(hostId: HostId, moves = 0): Address {
  const network = hostId.startsWith("e") ? 2 : moves === 0 ? 1 : 2 + moves;
  const number = Number(hostId.slice(1));
  return `10.${Math.floor(number / 250)}.${network}.${number % 250}`;
}

/** Who has the address, if nobody has moved there. */
export function usualHostAt(address: Address): HostId {
  const [, upper, network, lower] = address.split(".").map(Number);
  return `${network === 2 ? "e" : "h"}${Number(upper) * 250 + Number(lower)}` as HostId;
}

/** A monitoring system, say. */
export const strangerAddress: Address = "10.9.9.9";
