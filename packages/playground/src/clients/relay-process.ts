import { join } from "node:path";
import type { Yard } from "../processes/yard.ts";
import type { Target } from "./connection.ts";
import { RelayReport } from "./messages.ts";

/** Puts a relay with this round trip before a target; gives the address that clients use instead. */
export function startRelay(yard: Yard, target: Target, roundTripMs: number): Promise<Target> {
  const relay = yard.start({
    name: `relay-${roundTripMs}ms`,
    command: process.execPath,
    args: [
      join(import.meta.dirname, "relay.main.ts"),
      target.address,
      String(target.port),
      String(roundTripMs),
    ],
    channel: true,
  });
  return new Promise((resolve, reject) => {
    relay.onMessage((message) => resolve({ address: "127.0.0.1", port: RelayReport.parse(message).port }));
    void relay.ended.then((end) => reject(new Error(`the relay ended with ${end}: ${relay.logTail(5)}`)));
  });
}
