import { connect, type Socket } from "node:net";
import { type Message, MessageReader } from "./message-reader.ts";

/** What came back on a connection before it ended. */
export interface Answered extends Message {
  /** Null where the other side ended the connection in order. */
  readonly error: string | null;
}

/** An answer that does not come fails the test here, with what was there so far. */
const patienceMs = 3_000;

/** Sends these bytes on a connection of their own, and reads until the other side ends it. */
export function exchange(port: number, request: readonly (string | Buffer)[]): Promise<Answered> {
  return new Promise((resolve) => {
    const reader = MessageReader.answer(String(request[0]).startsWith("HEAD "));
    const socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
    let error: string | null = null;
    socket.setTimeout(patienceMs, () => socket.destroy(new Error("nothing more came")));
    socket.on("data", (chunk: Buffer) => reader.push(chunk));
    socket.on("end", () => socket.end());
    socket.on("error", (cause: NodeJS.ErrnoException) => {
      error = cause.code ?? cause.message;
    });
    socket.on("close", () => resolve({ ...reader.message(), error }));
    socket.on("connect", () => send(socket, request));
  });
}

/** In pieces of their own, so that what is sent as two is not read as one. */
function send(socket: Socket, [piece, ...rest]: readonly (string | Buffer)[]): void {
  if (piece === undefined || socket.destroyed) return;
  const bytes = typeof piece === "string" ? Buffer.from(piece, "latin1") : piece;
  socket.write(bytes, () => send(socket, rest));
}
