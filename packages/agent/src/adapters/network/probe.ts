import { request } from "node:http";
import type { ProbeAnswer } from "../../machine/event.ts";
import type { AskHealth } from "../../ports/network.ts";

/** A health answer has hardly a body; more than this is not waited for. */
const maxBodyBytes = 65_536;

/** Asks on a connection of its own, which is closed with the answer: a kept one would be counted by a drain. */
export const askHealth: AskHealth = ({ address, port, path, timeoutMs }) =>
  new Promise<ProbeAnswer>((resolve) => {
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), timeoutMs);
    const asked = request({
      host: address,
      port,
      path,
      agent: false,
      signal: deadline.signal,
      headers: { connection: "close", "user-agent": "siding-health" },
    });
    asked.on("error", (error: NodeJS.ErrnoException) => resolve(failed(error, deadline.signal.aborted)));
    asked.on("response", (response) => {
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > maxBodyBytes) response.destroy();
      });
      response.on("error", () => response.destroy());
      resolve({ kind: "status", status: response.statusCode ?? 0 });
    });
    // Not at the answer: a body that never ends would keep its connection.
    asked.on("close", () => clearTimeout(timer));
    asked.end();
  });

function failed(error: NodeJS.ErrnoException, timedOut: boolean): ProbeAnswer {
  if (timedOut) return { kind: "timeout" };
  if (error.code === "ECONNREFUSED") return { kind: "refused", message: error.message };
  return { kind: "error", message: error.message };
}
