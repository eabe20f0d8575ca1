import { request } from "node:http";
import { connect } from "node:net";
import type { ProbeAnswer } from "../../machine/event.ts";
import type { AskHealth } from "../../ports/network.ts";

/** A health answer has hardly a body; more than this is not waited for. */
const maxBodyBytes = 65_536;

interface Place {
  readonly address: string;
  readonly port: number;
  readonly timeoutMs: number;
}

/** Asks on a connection of its own, which is closed with the answer: a kept one would be counted by a drain. */
export const askHealth: AskHealth = ({ question, ...place }) =>
  "http" in question ? askHttp(place, question.http) : askTcp(place);

function askHttp({ address, port, timeoutMs }: Place, path: string): Promise<ProbeAnswer> {
  return new Promise((resolve) => {
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
}

/** A connection that is taken is the whole answer. */
function askTcp({ address, port, timeoutMs }: Place): Promise<ProbeAnswer> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const answer = (said: ProbeAnswer) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(said);
    };
    const timer = setTimeout(() => answer({ kind: "timeout" }), timeoutMs);
    socket.once("connect", () => answer({ kind: "connected" }));
    socket.on("error", (error: NodeJS.ErrnoException) => answer(failed(error, false)));
  });
}

function failed(error: NodeJS.ErrnoException, timedOut: boolean): ProbeAnswer {
  if (timedOut) return { kind: "timeout" };
  if (error.code === "ECONNREFUSED") return { kind: "refused", message: error.message };
  return { kind: "error", message: error.message };
}
