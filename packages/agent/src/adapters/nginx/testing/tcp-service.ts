import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import type { Member } from "@siding/shared/command";
import { HostId, TargetId } from "@siding/shared/ids";

/** A TCP service: answers each line with its name and the line. */
export class TcpService {
  readonly name: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  accepted = 0;

  private constructor(name: string) {
    this.name = name;
    this.#server = createServer((socket) => {
      this.accepted += 1;
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      socket.on("error", () => socket.destroy());
      createInterface({ input: socket }).on("line", (line) => socket.write(`${name} ${line}\n`));
    });
  }

  static async listen(name: string): Promise<TcpService> {
    const service = new TcpService(name);
    service.#server.listen(0, "127.0.0.1");
    await once(service.#server, "listening");
    return service;
  }

  get member(): Member {
    return {
      hostId: HostId.parse(this.name),
      slot: "blue",
      targetId: TargetId.parse("v1@0123456789ab.1"),
      address: "127.0.0.1",
      port: (this.#server.address() as AddressInfo).port,
    };
  }

  get open(): number {
    return this.#sockets.size;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, "close");
  }
}

/** A connection that stays; rejects when it ends before an answer is there. */
export class TcpConversation {
  readonly #socket: Socket;
  #heard = "";

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("utf8");
    socket.on("error", () => socket.destroy());
    socket.on("data", (text: string) => {
      this.#heard += text;
    });
  }

  static async open(port: number): Promise<TcpConversation> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    return new TcpConversation(socket);
  }

  /** Says a line and gives the line that is answered, without the line itself: the service's name. */
  async ask(line: string): Promise<string> {
    this.#heard = "";
    this.#socket.write(`${line}\n`);
    while (!this.#heard.endsWith("\n")) {
      if (this.#socket.destroyed || this.#socket.readableEnded) throw new Error("closed without an answer");
      await Promise.race([once(this.#socket, "data"), once(this.#socket, "close")]);
    }
    const [name = "", said] = this.#heard.trimEnd().split(" ");
    if (said !== line) throw new Error(`'${this.#heard}' is no answer to '${line}'`);
    return name;
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** One connection, one line, one answer; the name of who answered. */
export async function askOnce(port: number): Promise<string> {
  const conversation = await TcpConversation.open(port);
  try {
    return await conversation.ask("hello");
  } finally {
    conversation.close();
  }
}

/** Clients that open a connection for each question, never retry and count everything. */
export class StrictTcpClients {
  readonly failures: string[] = [];
  connections = 0;
  #running = true;
  readonly #loops: Promise<void>[];

  constructor(port: number, clients = 8) {
    this.#loops = Array.from({ length: clients }, () => this.#loop(port));
  }

  async #loop(port: number): Promise<void> {
    while (this.#running) {
      this.connections += 1;
      await askOnce(port).catch((error: unknown) => this.failures.push(String(error)));
    }
  }

  /** Resolves after this many more connections. */
  async more(count: number): Promise<void> {
    const enough = this.connections + count;
    while (this.connections < enough) await pause(5);
  }

  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#loops);
  }
}
