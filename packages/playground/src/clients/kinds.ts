import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import type { Writer } from "./connection.ts";

/** How a client behaves; each kind is hurt by another mistake of a deploy. */
export const KindName = z.enum(["keep-alive", "close", "post", "slow-upload"]);
export type KindName = z.infer<typeof KindName>;

/** What a kind of client sends for its `ticket`th request, and what the answer has to say. */
export type Kind = {
  readonly keepsConnection: boolean;
  readonly write: (ticket: number) => Writer;
  readonly path: (ticket: number) => string;
  /** Bytes of the request's body that have to arrive; 0 for none. */
  readonly bodyBytes: number;
};

const HOST = "web.example";

/** Larger than one segment and one buffer of nginx's, so that it arrives in parts. */
const POST_BYTES = 20_000;

/** A phone on a train: 1.2 s, longer than the whole change of an upstream. */
const UPLOAD_PIECES = 8;
const UPLOAD_PIECE_BYTES = 4_000;
const UPLOAD_PAUSE_MS = 150;

const postBody = Buffer.alloc(POST_BYTES, "p");
const uploadPiece = Buffer.alloc(UPLOAD_PIECE_BYTES, "u");

/** The answer repeats the path, so that an answer to somebody else's request is not taken for ours. */
const pathOf = (kind: KindName) => (ticket: number) => `/${kind}/${ticket}`;

function get(kind: KindName, keepsConnection: boolean): Kind {
  const path = pathOf(kind);
  const head = keepsConnection ? "" : "Connection: close\r\n";
  return {
    keepsConnection,
    path,
    bodyBytes: 0,
    write: (ticket) => (socket) => {
      socket.write(`GET ${path(ticket)} HTTP/1.1\r\nHost: ${HOST}\r\n${head}\r\n`);
    },
  };
}

function headOfPost(path: string, length: number): string {
  return `POST ${path} HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: ${length}\r\n\r\n`;
}

const post: Kind = {
  keepsConnection: true,
  path: pathOf("post"),
  bodyBytes: POST_BYTES,
  write: (ticket) => (socket) => {
    socket.write(Buffer.concat([Buffer.from(headOfPost(`/post/${ticket}`, POST_BYTES)), postBody]));
  },
};

const slowUpload: Kind = {
  keepsConnection: true,
  path: pathOf("slow-upload"),
  bodyBytes: UPLOAD_PIECES * UPLOAD_PIECE_BYTES,
  write: (ticket) => async (socket) => {
    socket.write(headOfPost(`/slow-upload/${ticket}`, UPLOAD_PIECES * UPLOAD_PIECE_BYTES));
    for (let piece = 0; piece < UPLOAD_PIECES && !socket.destroyed; piece += 1) {
      await pause(UPLOAD_PAUSE_MS);
      if (!socket.destroyed) socket.write(uploadPiece);
    }
  },
};

export const KINDS: Readonly<Record<KindName, Kind>> = {
  "keep-alive": get("keep-alive", true),
  close: get("close", false),
  post,
  "slow-upload": slowUpload,
};
