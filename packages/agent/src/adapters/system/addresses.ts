import { networkInterfaces } from "node:os";
import { Address } from "@siding/shared/ids";

/** Every address that this machine's own connections can come from, 127.0.0.1 included. */
export function localAddresses(): Address[] {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const parsed = all.map(({ address }) => Address.safeParse(address.split("%")[0]));
  const known = parsed.flatMap((each) => (each.success ? [each.data] : []));
  return [...new Set(["127.0.0.1", ...known])];
}
