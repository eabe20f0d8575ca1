import { connect, type Socket } from "node:net";
import { type Failed, failed } from "./failure.ts";
import { type Answer, ResponseReader } from "./response.ts";

export type Target = { readonly address: string; readonly port: number };

/** Puts a request on the wire; may take its time. */
export type Writer = (socket: Socket) => void | Promise<void>;

type Pending = { readonly reader: ResponseReader; readonly settle: (outcome: Answer | Failed) => void };

/** One TCP connection that carries one request after the other, and forgives nothing. */
export class Connection {
  #socket: Socket;
  #pending: Pending | undefined;
  #stray: Failed | undefined;
  #usable = true;
  #timer: NodeJS.Timeout;

  private constructor(socket: Socket, timeoutMs: number) {
    this.#socket = socket;
    // One timer for the connection's whole life: thousands of requests a second need none of their own.
    this.#timer = setTimeout(() => {
      if (this.#pending !== undefined) this.#fail(failed("timeout", `no complete answer in ${timeoutMs} ms`));
    }, timeoutMs);
    socket.setNoDelay(true);
    socket.on("data", (chunk) => this.#take(chunk));
    socket.on("end", () => this.#fail(this.#cutShort("ended")));
    socket.on("error", (error: NodeJS.ErrnoException) => this.#fail(this.#broken(error)));
  }

  /** Opens a connection, or says why not. */
  static open(target: Target, timeoutMs: number): Promise<Connection | Failed> {
    return new Promise((resolve) => {
      const socket = connect({ host: target.address, port: target.port });
      const giveUp = (detail: string) => {
        socket.destroy();
        resolve(failed("no-connection", detail));
      };
      const timer = setTimeout(() => giveUp(`not connected in ${timeoutMs} ms`), timeoutMs);
      const refused = (error: Error) => {
        clearTimeout(timer);
        giveUp(error.message);
      };
      socket.once("error", refused);
      socket.once("connect", () => {
        clearTimeout(timer);
        socket.off("error", refused);
        resolve(new Connection(socket, timeoutMs));
      });
    });
  }

  /** False once the server has closed it, or said that it will. Only between requests is that its right. */
  get usable(): boolean {
    return this.#usable || this.#stray !== undefined;
  }

  /** Sends one request and waits for all of its answer. */
  async exchange(write: Writer): Promise<Answer | Failed> {
    if (this.#stray !== undefined) return this.#stray;
    this.#timer.refresh();
    const { promise, resolve } = Promise.withResolvers<Answer | Failed>();
    this.#pending = { reader: new ResponseReader(), settle: resolve };
    const writing = write(this.#socket);
    if (writing !== undefined) await writing;
    return promise;
  }

  close(): void {
    this.#usable = false;
    clearTimeout(this.#timer);
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    if (this.#pending === undefined) {
      this.#stray = failed("surplus", `unasked: ${chunk.toString("latin1", 0, 100)}`);
      this.#fail(this.#stray);
      return;
    }
    const outcome = this.#pending.reader.push(chunk);
    if (outcome === undefined) return;
    if (!outcome.ok || outcome.closes) this.close();
    this.#settle(outcome);
  }

  #fail(why: Failed): void {
    this.close();
    this.#settle(why);
  }

  #settle(outcome: Answer | Failed): void {
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.settle(outcome);
  }

  #cutShort(how: string): Failed {
    const begun = this.#pending?.reader.begun ?? false;
    return begun
      ? failed("short-body", `connection ${how} within the answer`)
      : failed("closed", `connection ${how} before the answer`);
  }

  #broken(error: NodeJS.ErrnoException): Failed {
    return this.#pending?.reader.begun
      ? this.#cutShort(`broke (${error.code ?? error.message})`)
      : failed("reset", error.message);
  }
}
