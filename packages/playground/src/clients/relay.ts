import { connect, createServer, type Server, type Socket } from "node:net";
import type { Target } from "./connection.ts";

type Due = { readonly atMs: number; readonly run: () => void };

/**
 * A TCP relay that makes a network long: what goes in comes out half a round trip later, in each direction, and so do
 * ends and resets. That a client does not know yet what the server has already done is what loses requests.
 */
export class DelayRelay {
  readonly server: Server;
  #target: Target;
  #delayMs: number;
  // Every delay is the same, so one queue in order of arrival serves all connections.
  #queue: Due[] = [];
  #head = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(target: Target, roundTripMs: number) {
    this.#target = target;
    this.#delayMs = roundTripMs / 2;
    this.server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#relay(client));
  }

  #relay(client: Socket): void {
    const upstream = connect({
      host: this.#target.address,
      port: this.#target.port,
      allowHalfOpen: true,
      noDelay: true,
    });
    this.#forward(client, upstream);
    this.#forward(upstream, client);
  }

  #forward(from: Socket, to: Socket): void {
    from.on("data", (chunk) => {
      this.#later(() => {
        if (to.destroyed || to.writableEnded) return;
        // A reader slower than the writer must slow the writer, not fill our memory.
        if (!to.write(chunk)) {
          from.pause();
          to.once("drain", () => from.resume());
        }
      });
    });
    from.on("end", () => this.#later(() => to.end()));
    from.on("error", () => this.#later(() => to.resetAndDestroy()));
  }

  #later(run: () => void): void {
    this.#queue.push({ atMs: performance.now() + this.#delayMs, run });
    this.#timer ??= setTimeout(() => this.#runDue(), this.#delayMs);
  }

  #runDue(): void {
    this.#timer = undefined;
    const nowMs = performance.now();
    for (; this.#head < this.#queue.length; this.#head += 1) {
      const due = this.#queue[this.#head];
      if (due === undefined || due.atMs > nowMs) break;
      due.run();
    }
    this.#queue = this.#queue.slice(this.#head);
    this.#head = 0;
    const next = this.#queue[0];
    if (next !== undefined) this.#timer ??= setTimeout(() => this.#runDue(), next.atMs - nowMs);
  }
}
