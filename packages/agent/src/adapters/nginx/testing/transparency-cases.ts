import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import type { Reply } from "./raw-origin.ts";

/** One request as a client writes it, and what the service says to it. */
export interface Case {
  readonly name: string;
  readonly request: readonly (string | Buffer)[];
  readonly reply: Reply;
}

const MEGABYTE = 1024 * 1024;
export const ok = answer("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok");

/** Says it when the whole request is there, and keeps the connection. */
function answer(...pieces: readonly (string | Buffer)[]): Reply {
  const say: Reply["say"] = (socket) => {
    for (const piece of pieces) socket.write(bytesOf(piece));
  };
  return { at: "end", say };
}

/** Says it, and closes. */
export function lastAnswer(at: Reply["at"], text: string): Reply {
  return { at, say: (socket) => socket.end(bytesOf(text)) };
}

function bytesOf(piece: string | Buffer): Buffer {
  return typeof piece === "string" ? Buffer.from(piece, "latin1") : piece;
}

/** A request that asks for the connection's end, so that what comes back has one. */
export function asks(line: string, headers = "", ...body: readonly (string | Buffer)[]) {
  return [`${line} HTTP/1.1\r\nHost: shop.example:8443\r\nConnection: close\r\n${headers}\r\n`, ...body];
}

function withStatus(status: string, headers = "", body = "said"): Reply {
  return answer(`HTTP/1.1 ${status}\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`);
}

function chunked(...chunks: readonly string[]): string {
  const parts = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`);
  return `${parts.join("")}0\r\n\r\n`;
}

const large = createHash("sha512")
  .update("siding")
  .digest("base64")
  .repeat(MEGABYTE / 88 / 2);
const huge = Buffer.alloc(50 * MEGABYTE, "siding ");

const bodiesUp: Case[] = [
  ...["", "x", large].map((body) => ({
    name: `a body of ${body.length} bytes up`,
    request: asks("POST /up", `Content-Length: ${body.length}\r\n`, body),
  })),
  ...[[], ["x"], ["one", "two", large]].map((chunks) => ({
    name: `a body of ${chunks.length} chunks up`,
    request: asks("POST /up", "Transfer-Encoding: chunked\r\n", chunked(...chunks)),
  })),
  { name: "a body of 50 MB up", request: asks("POST /up", `Content-Length: ${huge.length}\r\n`, huge) },
  {
    name: "a GET with a body",
    request: asks("GET /search", "Content-Length: 7\r\nContent-Type: a/b; c=d\r\n", "what if"),
  },
  {
    name: "a body that waits for 100-continue",
    request: asks("PUT /up", "Expect: 100-continue\r\nContent-Length: 3\r\n", "yes"),
  },
  {
    name: "trailers up",
    request: asks(
      "POST /up",
      "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n",
      "1\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n",
    ),
  },
].map((each) => ({ ...each, reply: ok }));

const bodiesDown: Case[] = [
  { name: "an empty answer", reply: answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") },
  { name: "one byte down", reply: answer("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx") },
  {
    name: "chunks down",
    reply: answer(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunked("one", large)}`),
  },
  {
    name: "no chunks down",
    reply: answer(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunked()}`),
  },
  {
    name: "an answer that ends with the connection",
    reply: lastAnswer("end", `HTTP/1.1 200 OK\r\n\r\n${large}`),
  },
  {
    name: "an answer of HTTP/1.0",
    reply: lastAnswer("end", "HTTP/1.0 200 OK\r\nContent-Type: a/b\r\n\r\nold"),
  },
  {
    name: "50 MB down",
    reply: answer(`HTTP/1.1 200 OK\r\nContent-Length: ${huge.length}\r\n\r\n`, huge),
  },
  {
    name: "trailers down",
    reply: answer(
      "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n",
    ),
  },
  {
    name: "gzip",
    reply: answer(
      `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nContent-Length: ${gzipSync(large).length}\r\n\r\n`,
      gzipSync(large),
    ),
  },
  {
    name: "what the front may compress",
    reply: answer(
      `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: ${large.length}\r\n\r\n${large}`,
    ),
  },
].map((each) => ({ ...each, request: asks("GET /down", "Accept-Encoding: gzip\r\nTE: trailers\r\n") }));

const brokenAnswers: Case[] = [
  { name: "an answer that breaks off", text: "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this" },
  {
    name: "chunks that break off",
    text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n",
  },
  { name: "no answer", text: "" },
  { name: "half a header", text: "HTTP/1.1 200 OK\r\nContent-Le" },
  { name: "what is no answer", text: "SSH-2.0-OpenSSH_9.2\r\n\r\n" },
].flatMap(({ name, text }) => [
  { name, request: asks("GET /broken"), reply: lastAnswer("end", text) },
  {
    name: `${name}, to a POST`,
    request: asks("POST /broken", "Content-Length: 4\r\n", "body"),
    reply: lastAnswer("end", text),
  },
]);

/** Header fields that some program somewhere sends. */
const oddHeaders = [
  "X_Under_Score: kept",
  "X.Dot.Ted: kept",
  "X-Weird!#$%&'*+^`|~: kept",
  "X-Empty:",
  "X-Spaces:    before and after   ",
  "X-Twice: one",
  "X-Twice: two",
  "X-Latin: caf\xe9",
  "X-Utf8: \xe2\x98\x83 \xf0\x9f\x9a\x82",
  'X-Quotes: "a\\"b" \'c\' {d} $e %f ;g ,h',
  "x-lower: kept",
  "X-UPPER: kept",
  `X-Long: ${"l".repeat(3_000)}`,
];
const cookies = Array.from({ length: 60 }, (_, index) => `cookie${index}=${"c".repeat(40)}`);

const lines = (fields: readonly string[]) => fields.map((field) => `${field}\r\n`).join("");

const headersUp: Case[] = [
  { name: "odd headers up", fields: oddHeaders },
  { name: "many cookies up", fields: [`Cookie: ${cookies.join("; ")}`, "Cookie: another=header"] },
  { name: "20 KB of headers up", fields: [`Cookie: ${"c".repeat(20_000)}`] },
  { name: "many headers up", fields: Array.from({ length: 90 }, (_, index) => `X-Nr-${index}: ${index}`) },
  {
    name: "forwarded headers of others",
    fields: [
      "Forwarded: for=192.0.2.1;proto=https",
      "X-Forwarded-For: 192.0.2.1",
      "X-Forwarded-For: 192.0.2.2",
      "X-Forwarded-Proto: gopher",
      "X-Forwarded-Host: other.example",
      "X-Real-IP: 192.0.2.3",
      "Via: 1.1 somebody",
    ],
  },
  {
    name: "headers about the connection",
    fields: [
      "Keep-Alive: timeout=5",
      "TE: trailers, deflate",
      "Proxy-Connection: keep-alive",
      "Upgrade: h2c",
    ],
  },
  {
    name: "conditions and ranges up",
    fields: [
      'If-None-Match: W/"a", "b"',
      "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT",
      "Range: bytes=0-1,3-",
      'If-Range: "b"',
      "Authorization: Basic Zm9vOmJhcg==",
      "Proxy-Authorization: Basic Zm9vOmJhcg==",
      "Early-Data: 1",
    ],
  },
].map(({ name, fields }) => ({ name, request: asks("GET /headers", lines(fields)), reply: ok }));

const headersDown: Case[] = [
  { name: "odd headers down", fields: oddHeaders },
  { name: "many cookies down", fields: cookies.map((cookie) => `Set-Cookie: ${cookie}; Path=/`) },
  { name: "20 KB of headers down", fields: [`X-Large: ${"l".repeat(20_000)}`] },
  { name: "Server and Date", fields: ["Server: the-service/1", "Date: Thu, 01 Jan 1970 00:00:00 GMT"] },
  {
    name: "caching",
    fields: [
      'ETag: W/"v1"',
      "Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT",
      "Expires: 0",
      "Cache-Control: public",
      "Cache-Control: max-age=5",
      "Vary: Accept",
      "Vary: Cookie",
      "Accept-Ranges: bytes",
      "Age: 3",
      "Link: </style.css>; rel=preload",
      "Link: </script.js>; rel=preload",
    ],
  },
  {
    name: "policies",
    fields: [
      "Strict-Transport-Security: max-age=1",
      "Content-Security-Policy: default-src 'self'",
      'Content-Disposition: attachment; filename="a b.txt"',
      "Refresh: 5; url=/elsewhere",
      "Keep-Alive: timeout=5",
      "X-Pad: avoid browser bug",
      "Status: 201 Created",
      "Content-Language: de",
      "Content-Location: /x",
    ],
  },
  {
    name: "X-Accel-*",
    fields: [
      "X-Accel-Expires: 0",
      "X-Accel-Limit-Rate: 1000000",
      "X-Accel-Buffering: yes",
      "X-Accel-Charset: utf-8",
      "Content-Type: text/html",
    ],
  },
  {
    name: "X-Accel-Redirect",
    fields: ["X-Accel-Redirect: /internal/file", "Content-Type: application/x-secret"],
  },
  { name: "X-Accel-Redirect to nowhere", fields: ["X-Accel-Redirect: @nowhere"] },
].map(({ name, fields }) => ({
  name,
  request: asks("GET /headers"),
  reply: answer(`HTTP/1.1 200 OK\r\n${lines(fields)}Content-Length: 4\r\n\r\nsaid`),
}));

const methods: Case[] = [
  ...["OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "PURGE", "M-SEARCH", "get"].map((method) => ({
    name: `${method} without a body`,
    request: asks(`${method} /method`),
    reply: ok,
  })),
  ...["PUT", "PATCH", "DELETE", "OPTIONS", "REPORT"].map((method) => ({
    name: `${method} with a body`,
    request: asks(`${method} /method`, "Content-Length: 4\r\n", "body"),
    reply: ok,
  })),
  { name: "OPTIONS *", request: asks("OPTIONS *"), reply: ok },
  {
    name: "HEAD",
    request: asks("HEAD /method"),
    reply: answer('HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nETag: "h"\r\n\r\n'),
  },
  {
    name: "HEAD of what has no length",
    request: asks("HEAD /method"),
    reply: answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
  },
];

const paths: Case[] = [
  "/a%2Fb%2f/c",
  "//double//slashes//",
  "/a/..%2f..%2fb",
  "/..%2f",
  "/../above",
  "/a/./b/../c",
  "/?",
  "/??x=1?",
  '/x?a=%20+%26&b[]=1&c=<d>|{e}^`"',
  "/%E2%98%83",
  "/caf\xe9",
  "/with space",
  "/%00",
  "/%",
  "/%zz",
  "/semi;colon=1,comma@at:colon",
  "/back\\slash",
  "/#fragment",
  "http://other.example/absolute?x",
  "no-slash",
  `/${"long".repeat(1_800)}`,
].map((path) => ({ name: `path ${path.slice(0, 40)}`, request: asks(`GET ${path}`), reply: ok }));

const statuses: Case[] = [
  { name: "201", reply: withStatus("201 Created", "Location: /things/1?a=b%20c\r\n") },
  { name: "200 with a reason of its own", reply: withStatus("200 Fine by me, caf\xe9") },
  { name: "200 without a reason", reply: withStatus("200 ") },
  { name: "204", reply: answer("HTTP/1.1 204 No Content\r\nX-Kept: yes\r\n\r\n") },
  { name: "205", reply: withStatus("205 Reset Content", "", "") },
  {
    name: "206",
    reply: withStatus("206 Partial Content", "Content-Range: bytes 0-3/10\r\nAccept-Ranges: bytes\r\n"),
  },
  { name: "301 to where it knows", reply: withStatus("301 Moved", "Location: http://web/else?x#y\r\n") },
  { name: "304", reply: answer('HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nCache-Control: no-cache\r\n\r\n') },
  {
    name: "401",
    reply: withStatus(
      "401 Unauthorized",
      'WWW-Authenticate: Basic realm="x y"\r\nWWW-Authenticate: Bearer\r\n',
    ),
  },
  {
    name: "103 before the answer",
    reply: lastAnswer(
      "end",
      "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ),
  },
  ...[400, 403, 404, 413, 416, 418, 429, 431, 494, 499, 500, 501, 502, 503, 504, 599].map((status) => ({
    name: String(status),
    reply: withStatus(`${status} Says the service`, "Retry-After: 3\r\nContent-Type: text/x-odd\r\n"),
  })),
].map((each) => ({ ...each, name: `status ${each.name}`, request: asks("GET /status") }));

const clients: Case[] = [
  {
    name: "an HTTP/1.0 client with a host",
    request: ["GET /old HTTP/1.0\r\nHost: shop.example\r\n\r\n"],
    reply: answer(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunked("one", "two")}`),
  },
  {
    name: "two requests on one connection",
    request: ["GET /one HTTP/1.1\r\nHost: shop.example\r\n\r\n", ...asks("GET /two")],
    reply: ok,
  },
  {
    name: "an upgrade that the service declines",
    request: asks("GET /ws").map((text) =>
      String(text).replace("close", "close, Upgrade\r\nUpgrade: websocket"),
    ),
    reply: lastAnswer(
      "end",
      "HTTP/1.1 426 Upgrade Required\r\nUpgrade: other\r\nContent-Length: 2\r\n\r\nno",
    ),
  },
];

/** All of design section 5's comparison that is one request and one answer. */
export const cases: readonly Case[] = [
  ...bodiesUp,
  ...bodiesDown,
  ...brokenAnswers,
  ...headersUp,
  ...headersDown,
  ...methods,
  ...paths,
  ...statuses,
  ...clients,
];
