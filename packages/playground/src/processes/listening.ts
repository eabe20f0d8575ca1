import { connect } from "node:net";
import { until } from "../until.ts";

/** Waits until something accepts connections there. Errors: names it at the deadline. */
export function listening(
  what: string,
  { address, port }: { readonly address: string; readonly port: number },
  deadlineMs: number,
): Promise<boolean> {
  return until(`${what} listening on ${address}:${port}`, () => accepts(address, port), deadlineMs);
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
