import { once } from "node:events";
import { createServer, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { getRequestListener } from "@hono/node-server";
import { err, failure, messageOf, ok, type Result } from "@siding/shared/result";
import type { Api } from "./endpoint.ts";
import { problem, problemMediaType, problemOf } from "./problem.ts";

export interface HttpServerOptions {
  readonly listen: { readonly host: string; readonly port: number };
  readonly maxConnections: number;
}

/** Headers are small: who needs longer is not talking to us in earnest. */
const headersTimeoutMs = 10_000;
/** A whole request, that of 2 GiB at 1 MB/s included. */
const requestTimeoutMs = 3_600_000;
/** Nothing in either direction: the peer is gone. Above the heartbeats of the event streams. */
const idleTimeoutMs = 60_000;
/** Longer than the usual proxy keeps idle connections, so that it is never we who close first. */
const keepAliveTimeoutMs = 75_000;
const maxHeaderBytes = 16_384;
/** At the end, answers under way get this long. */
const closeGraceMs = 2_000;

/** The HTTP server, listening. Errors: `http-not-listening`. */
export async function startHttpServer(api: Api, options: HttpServerOptions): Promise<Result<HttpServer>> {
  const listener = getRequestListener(api.fetch, {
    errorHandler: (cause) => problem({ code: "invalid-request", message: messageOf(cause) }),
  });
  const underWay = new Set<ServerResponse>();
  const server = createServer(
    {
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: keepAliveTimeoutMs,
      maxHeaderSize: maxHeaderBytes,
    },
    (request, response) => {
      underWay.add(response);
      response.once("close", () => underWay.delete(response));
      void listener(request, response);
    },
  );
  server.timeout = idleTimeoutMs;
  server.maxConnections = options.maxConnections;
  server.on("clientError", refuseGarbage);
  const { host, port } = options.listen;
  try {
    server.listen(port, host);
    await once(server, "listening");
    return ok(new HttpServer(server, underWay, options.listen));
  } catch (cause) {
    const message = `can't listen on ${host}:${port} for HTTP: ${messageOf(cause)}`;
    return err(failure("http-not-listening", message, cause));
  }
}

export class HttpServer {
  readonly url: string;
  readonly #server: Server;
  readonly #underWay: ReadonlySet<ServerResponse>;

  constructor(
    server: Server,
    underWay: ReadonlySet<ServerResponse>,
    { host, port }: HttpServerOptions["listen"],
  ) {
    this.#server = server;
    this.#underWay = underWay;
    this.url = `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
  }

  /** Takes no new requests, lets those under way finish for a moment, then closes every connection. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    // Node counts a connection that has not asked anything yet as busy: so it is answers that we wait for.
    const answered = Promise.all([...this.#underWay].map(closeOf));
    await Promise.race([answered, sleep(closeGraceMs, undefined, { ref: false })]);
    this.#server.closeAllConnections();
    await closed;
  }
}

function closeOf(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => response.once("close", () => resolve()));
}

/** What is not even HTTP gets a problem document too. */
function refuseGarbage(cause: Error & { code?: string }, socket: Duplex): void {
  if (cause.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = statusOf(cause.code);
  const refusal = { code: "invalid-request" as const, message: `this is no HTTP request: ${cause.message}` };
  const body = JSON.stringify({ ...problemOf(refusal), status });
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `content-type: ${problemMediaType}`,
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}

function statusOf(code: string | undefined): number {
  if (code === "HPE_HEADER_OVERFLOW") return 431;
  return code === "ERR_HTTP_REQUEST_TIMEOUT" ? 408 : 400;
}
