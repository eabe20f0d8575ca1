// A websocket echo by hand (RFC 6455): enough to prove that upgrades and frames pass, without a dependency.

import { createHash } from "node:crypto";

/** @typedef {import("node:stream").Duplex} Duplex */

const HANDSHAKE_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const CLOSE = 0x8;
const PING = 0x9;
const PONG = 0xa;

/** Lengths up to 125 stand in the second byte; these marks say that 2 or 8 more bytes hold it. */
const LENGTH_IN_2 = 126;
const LENGTH_IN_8 = 127;

/** Status 1001, "going away". */
const GOING_AWAY = Buffer.from([0x03, 0xe9]);

/**
 * Accepts every upgrade of a server and echoes what comes. Gives a function that says good-bye to all of them.
 *
 * @param {import("node:http").Server} server
 */
export function acceptWebSockets(server) {
  /** @type {Set<Duplex>} */
  const open = new Set();
  server.on("upgrade", (request, socket, head) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("error", () => socket.destroy());
    shakeHands(request.headers["sec-websocket-key"] ?? "", socket);
    echoFrames(socket, head);
  });
  return () => {
    for (const socket of open) socket.write(frame(CLOSE, true, GOING_AWAY));
  };
}

/**
 * @param {string} key
 * @param {Duplex} socket
 */
function shakeHands(key, socket) {
  const accept = createHash("sha1").update(`${key}${HANDSHAKE_GUID}`).digest("base64");
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
}

/**
 * @param {Duplex} socket
 * @param {Buffer} head what came right behind the handshake
 */
function echoFrames(socket, head) {
  /** @type {Buffer} */
  let bytes = head;
  const read = () => {
    for (let next = parseFrame(bytes); next !== undefined; next = parseFrame(bytes)) {
      bytes = bytes.subarray(next.length);
      if (next.opcode === CLOSE) {
        // It is the server that ends the connection, once both have said good-bye.
        socket.end(frame(CLOSE, true, next.payload), () => socket.destroy());
        return;
      }
      if (next.opcode !== PONG) {
        socket.write(frame(next.opcode === PING ? PONG : next.opcode, next.final, next.payload));
      }
    }
  };
  socket.on("data", (/** @type {Buffer} */ chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    read();
  });
  read();
}

/**
 * The first frame in these bytes, with its payload unmasked; undefined when there is not all of it yet.
 *
 * @param {Buffer} bytes
 */
function parseFrame(bytes) {
  if (bytes.length < 2) return undefined;
  const marked = bytes.readUInt8(1) & 0x7f;
  const start = 2 + (marked === LENGTH_IN_2 ? 2 : marked === LENGTH_IN_8 ? 8 : 0) + 4;
  if (bytes.length < start) return undefined;
  const size = sizeOf(bytes, marked);
  if (bytes.length < start + size) return undefined;
  const mask = bytes.subarray(start - 4, start);
  const payload = Buffer.from(bytes.subarray(start, start + size)).map(
    (byte, at) => byte ^ (mask[at % 4] ?? 0),
  );
  const first = bytes.readUInt8(0);
  return { opcode: first & 0x0f, final: (first & 0x80) !== 0, payload, length: start + size };
}

/**
 * @param {Buffer} bytes
 * @param {number} marked
 */
function sizeOf(bytes, marked) {
  if (marked === LENGTH_IN_2) return bytes.readUInt16BE(2);
  if (marked === LENGTH_IN_8) return Number(bytes.readBigUInt64BE(2));
  return marked;
}

/**
 * @param {number} opcode
 * @param {boolean} final
 * @param {Uint8Array} payload
 */
function frame(opcode, final, payload) {
  return Buffer.concat([frameHeader((final ? 0x80 : 0) | opcode, payload.length), payload]);
}

/**
 * @param {number} first
 * @param {number} length
 */
function frameHeader(first, length) {
  if (length < LENGTH_IN_2) return Buffer.from([first, length]);
  if (length < 65_536) return Buffer.from([first, LENGTH_IN_2, length >> 8, length & 0xff]);
  const header = Buffer.from([first, LENGTH_IN_8, 0, 0, 0, 0, 0, 0, 0, 0]);
  header.writeBigUInt64BE(BigInt(length), 2);
  return header;
}
