import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/**
 * What the relay does to each connection: nothing, cut it after so many bytes of the answer, or pass on no more after
 * so many, for as long as this mood lasts.
 */
export type Mood =
  | { readonly kind: "calm" }
  | { readonly kind: "cuts" | "stalls"; readonly afterBytes: number };

/** The way from the agents to the control plane's HTTP, with the faults of a network, as a test wants them. */
export class FickleRelay {
  /** The head of each request, in order. */
  readonly requests: string[] = [];
  mood: Mood = { kind: "calm" };
  /** All that came through to the agents. */
  answeredBytes = 0;
  /** Connections on which nothing is passed on at present. */
  stalled = 0;
  readonly #connections = new Set<Socket>();
  #server: Server | undefined;

  /** Opens it before a url, and gives its own. */
  async open(url: string): Promise<string> {
    const { hostname, port } = new URL(url);
    this.#server = createServer((client) => this.#relay(client, connect(Number(port), hostname)));
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The `Range` of each request for an artifact since the `from`th; null where it asked for the whole. */
  ranges(from: number): (string | null)[] {
    return this.requests.slice(from).map((head) => /^range: *(.+)$/im.exec(head)?.[1]?.trim() ?? null);
  }

  /** From now on without faults; what stalls is cut, as by a network that comes back. */
  calm(): void {
    this.mood = { kind: "calm" };
    if (this.stalled === 0) return;
    for (const socket of this.#connections) socket.destroy();
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server?.close(() => resolve()));
    for (const socket of this.#connections) socket.destroy();
    await closed;
  }

  #relay(client: Socket, server: Socket): void {
    let answered = 0;
    let stalls = false;
    const end = () => {
      for (const socket of [client, server]) {
        this.#connections.delete(socket);
        socket.destroy();
      }
      if (stalls) this.stalled -= 1;
      stalls = false;
    };
    for (const socket of [client, server]) {
      this.#connections.add(socket);
      // The agents ask once on each connection: whoever closes it has everything.
      socket.on("close", end).on("error", end);
    }
    client.once("data", (head) => this.requests.push(head.toString()));
    client.pipe(server);
    server.on("data", (chunk) => {
      const { mood } = this;
      const most = mood.kind === "calm" ? chunk.length : Math.max(0, mood.afterBytes - answered);
      const passed = chunk.subarray(0, most);
      answered += passed.length;
      this.answeredBytes += passed.length;
      if (passed.length > 0 && !client.write(passed)) {
        server.pause();
        client.once("drain", () => !stalls && server.resume());
      }
      if (passed.length === chunk.length) return;
      if (mood.kind === "cuts") client.end(end);
      else if (!stalls) {
        stalls = true;
        this.stalled += 1;
        server.pause();
      }
    });
    server.on("end", () => client.end());
  }
}
