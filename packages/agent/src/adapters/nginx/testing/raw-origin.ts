import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Member } from "@siding/shared/command";
import { HostId, TargetId } from "@siding/shared/ids";
import { type Message, MessageReader } from "./message-reader.ts";

/** What a service says, byte by byte, and when. */
export interface Reply {
  /** `head`: as soon as the request's headers are there. */
  readonly at: "head" | "end";
  readonly say: (socket: Socket) => void;
}

/** A service that says what it is told to and remembers what it heard: a library would put right what is to be seen. */
export class RawOrigin {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  reply: Reply = { at: "end", say: () => {} };
  /** The newest request; null where none came. */
  heard: MessageReader | null = null;

  private constructor() {
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => this.#serve(socket));
  }

  static async listen(): Promise<RawOrigin> {
    const origin = new RawOrigin();
    origin.#server.listen(0, "127.0.0.1");
    await once(origin.#server, "listening");
    return origin;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get member(): Member {
    return {
      hostId: HostId.parse("raw"),
      slot: "blue",
      targetId: TargetId.parse("v1@0123456789ab.1"),
      address: "127.0.0.1",
      port: this.port,
    };
  }

  /** What was heard since the last time. */
  take(): Message | null {
    const message = this.heard?.message() ?? null;
    this.heard = null;
    return message;
  }

  /** Does something while nobody listens on its port. */
  async pause(action: () => Promise<void>): Promise<void> {
    const { port } = this;
    await this.close();
    await action();
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.on("end", () => socket.end());
    let reader = MessageReader.request();
    let answered = false;
    socket.on("data", (chunk: Buffer) => {
      // After an upgrade the bytes are the answer's business.
      if (answered && reader.complete && socket.listenerCount("data") > 1) return;
      if (answered && reader.complete) {
        reader = MessageReader.request();
        answered = false;
      }
      reader.push(chunk);
      if (reader.head === null) return;
      this.heard = reader;
      const { at, say } = this.reply;
      if (answered || (at === "end" && !reader.complete)) return;
      answered = true;
      say(socket);
    });
  }
}
