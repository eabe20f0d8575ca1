// The playground's small real service: an HTTP server as people write them, without dependencies, since it is packed
// as a release. What a release does differently is in the program beside this file that it is packed with.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { acceptWebSockets } from "./websocket.mjs";

/** @typedef {import("node:http").IncomingMessage} Request */
/** @typedef {import("node:http").ServerResponse} Response */

/** Answers take between these, like those of a service that asks a database. */
const FASTEST_MS = 5;
const SLOWEST_MS = 25;

/** Above every header that a front lets through, so that it is never us who refuse. */
const MAX_HEADER_BYTES = 128 * 1024;

const EVENT_INTERVAL_MS = 50;

/** The version that was packed with these files: what answers `x-version` is proof of the bytes that run. */
const version = packedVersion();

/**
 * Listens on ADDRESS:PORT. At SIGTERM it accepts nothing new, finishes what is in flight and exits.
 *
 * @param {object} flaws what a flawed release does differently
 * @param {number} [flaws.healthStatus] the status of /healthz
 * @param {string} [flaws.address] listens there whatever it was told
 * @param {number} [flaws.startDelayMs] /healthz answers 503 for so long after the start
 * @param {number} [flaws.stopDelayMs] exits so long after SIGTERM, though nothing is in flight
 */
export function startService(flaws = {}) {
  const { healthStatus = 200, address = process.env.ADDRESS, startDelayMs = 0, stopDelayMs = 0 } = flaws;
  const healthyAtMs = performance.now() + startDelayMs;
  let stopping = false;
  /** @type {Set<Response>} */
  const unanswered = new Set();
  const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES }, (request, response) => {
    unanswered.add(response);
    response.once("close", () => {
      unanswered.delete(response);
      if (stopping) server.closeIdleConnections();
    });
    response.setHeader("x-version", version);
    if (stopping) sayGoodbye(response);
    if (request.url === "/healthz") {
      response.writeHead(performance.now() < healthyAtMs ? 503 : healthStatus).end();
    } else {
      answer(request, response);
    }
  });
  const endWebSockets = acceptWebSockets(server);
  server.listen(Number(process.env.PORT), address);
  process.on("SIGTERM", () => {
    stopping = true;
    unanswered.forEach(sayGoodbye);
    endWebSockets();
    server.close(() => setTimeout(() => process.exit(), stopDelayMs));
  });
}

/**
 * The client must not use the connection again: it is about to be closed.
 *
 * @param {Response} response
 */
function sayGoodbye(response) {
  if (!response.headersSent) response.setHeader("connection", "close");
}

function packedVersion() {
  const packed = readFileSync(new URL("VERSION", import.meta.url), "utf8").trim();
  const told = process.env.SIDING_VERSION ?? packed;
  if (told !== packed) throw new Error(`started as ${told}, but these files are ${packed}`);
  return packed;
}

/**
 * @param {Request} request
 * @param {Response} response
 */
function answer(request, response) {
  const url = new URL(request.url ?? "/", "http://service");
  /** @param {string} name */
  const number = (name) => Number(url.searchParams.get(name) ?? 0);
  if (request.method === "POST") return answerPost(request, response);
  switch (url.pathname) {
    case "/bytes":
      return answerBytes(response, number("size"));
    case "/headers":
      return answerHeaders(request, response, number("size"));
    case "/events":
      return answerEvents(response, number("count"));
    case "/slow":
      return answerAfter(number("ms"), response, { url: request.url, version });
    default:
      return answerAfter(usualDelayMs(), response, { url: request.url, version });
  }
}

function usualDelayMs() {
  return FASTEST_MS + Math.random() * (SLOWEST_MS - FASTEST_MS);
}

/**
 * @param {number} delayMs
 * @param {Response} response
 * @param {object} body
 */
function answerAfter(delayMs, response, body) {
  setTimeout(() => {
    const text = JSON.stringify(body);
    response.setHeader("content-type", "application/json");
    response.setHeader("content-length", Buffer.byteLength(text));
    response.end(text);
  }, delayMs);
}

/**
 * Counts the body, so that the client can tell whether all of it came.
 *
 * @param {Request} request
 * @param {Response} response
 */
function answerPost(request, response) {
  let bytes = 0;
  request.on("data", (/** @type {Buffer} */ chunk) => {
    bytes += chunk.length;
  });
  request.on("end", () => answerAfter(usualDelayMs(), response, { url: request.url, version, bytes }));
}

/**
 * @param {Response} response
 * @param {number} size
 */
function answerBytes(response, size) {
  const chunk = Buffer.alloc(64 * 1024, "siding");
  let left = size;
  response.setHeader("content-length", size);
  const more = () => {
    while (left > 0) {
      const part = chunk.subarray(0, Math.min(left, chunk.length));
      left -= part.length;
      if (!response.write(part)) {
        response.once("drain", more);
        return;
      }
    }
    response.end();
  };
  more();
}

/**
 * Says which headers came, and sends a large one back.
 *
 * @param {Request} request
 * @param {Response} response
 * @param {number} size
 */
function answerHeaders(request, response, size) {
  if (size > 0) response.setHeader("x-padding", "x".repeat(size));
  answerAfter(usualDelayMs(), response, { version, headers: request.headers });
}

/**
 * Server-sent events, one at a time.
 *
 * @param {Response} response
 * @param {number} count
 */
function answerEvents(response, count) {
  response.writeHead(200, {
    "content-type": "text/event-stream",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
  });
  let sent = 0;
  const timer = setInterval(() => {
    sent += 1;
    response.write(`id: ${sent}\ndata: ${version}\n\n`);
    if (sent < count) return;
    clearInterval(timer);
    response.end();
  }, EVENT_INTERVAL_MS);
  response.on("close", () => clearInterval(timer));
}
