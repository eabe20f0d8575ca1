import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import type { Target } from "./connection.ts";

/** A connection to a line service (release/tcp.mjs). */
export class TcpConnection {
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("utf8");
    socket.on("error", () => socket.destroy());
  }

  static async open({ address, port }: Target): Promise<TcpConnection> {
    const socket = connect({ host: address, port, noDelay: true });
    await once(socket, "connect");
    return new TcpConnection(socket);
  }

  /** Which version answers a line; null where the connection ends without an answer. */
  async ask(line: string): Promise<string | null> {
    this.#socket.write(`${line}\n`);
    let heard = "";
    while (!heard.endsWith("\n")) {
      const piece = await this.#piece();
      if (piece === null) return null;
      heard += piece;
    }
    const [version = "", said] = heard.trimEnd().split(" ");
    if (said !== line) throw new Error(`'${heard}' is no answer to '${line}'`);
    return version;
  }

  /** What comes next; null where nothing more will. */
  #piece(): Promise<string | null> {
    const socket = this.#socket;
    if (socket.destroyed || socket.readableEnded) return Promise.resolve(null);
    return new Promise((resolve) => {
      const ended = () => resolve(null);
      socket.once("close", ended);
      socket.once("data", (piece: string) => {
        socket.off("close", ended);
        resolve(piece);
      });
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Opens a connection for each question, never retries, and counts by the version that answered; `none` is a loss. */
export class TcpTraffic {
  readonly answers = new Map<string, number>();
  #running = true;
  readonly #loops: Promise<void>[];

  constructor(target: Target, clients: number) {
    this.#loops = Array.from({ length: clients }, () => this.#loop(target));
  }

  /** Resolves after this many more answers. */
  async more(count: number): Promise<void> {
    const enough = this.#count() + count;
    while (this.#count() < enough) await pause(5);
  }

  async stop(): Promise<ReadonlyMap<string, number>> {
    this.#running = false;
    await Promise.all(this.#loops);
    return this.answers;
  }

  #count(): number {
    return [...this.answers.values()].reduce((sum, count) => sum + count, 0);
  }

  async #loop(target: Target): Promise<void> {
    while (this.#running) {
      const version = (await askOnce(target).catch(() => null)) ?? "none";
      this.answers.set(version, (this.answers.get(version) ?? 0) + 1);
    }
  }
}

/** One connection, one line: the version that answered, or null. */
export async function askOnce(target: Target): Promise<string | null> {
  const connection = await TcpConnection.open(target);
  try {
    return await connection.ask("hello");
  } finally {
    connection.close();
  }
}
