// The delay relay's own process. Arguments: address and port of the target, round trip in milliseconds.

import type { AddressInfo } from "node:net";
import { DelayRelay } from "./relay.ts";

const [address = "", port, roundTripMs] = process.argv.slice(2);
const relay = new DelayRelay({ address, port: Number(port) }, Number(roundTripMs));

process.on("disconnect", () => process.exit());
relay.server.listen({ host: "127.0.0.1", port: 0, backlog: 4_096 }, () => {
  const listening = relay.server.address() as AddressInfo;
  process.send?.({ port: listening.port });
});
