import { setTimeout as sleep } from "node:timers/promises";
import { connect, type Msg, type NatsConnection } from "@nats-io/transport-node";
import { maxMessageBytes } from "@siding/shared/message";
import { messageOf } from "@siding/shared/result";
import type { Logger } from "pino";

export interface LinkOptions {
  readonly url: string;
  readonly user: string;
  readonly password: string;
  readonly subscriptions: Readonly<Record<string, (subject: string, bytes: Uint8Array) => void>>;
  readonly onConnected: () => void;
  readonly onDisconnected: () => void;
  readonly log: Logger;
}

/** Between attempts, for ever: a rollout waits, it does not give up because the network did. */
const retryMs = 200;
const retryJitterMs = 100;
const connectTimeoutMs = 2_000;
/** A dead peer is noticed after two unanswered pings. */
const pingIntervalMs = 5_000;
const unansweredPings = 2;
/** At the end, what is still on its way out gets this long. */
const drainDeadlineMs = 1_000;

/** Our connection to NATS: made again whenever it is lost, and silent about what it could not deliver. */
export class Link {
  readonly #options: LinkOptions;
  readonly #stop = new AbortController();
  #connection: NatsConnection | null = null;
  #isUp = false;
  #running: Promise<void> = Promise.resolve();
  #isTried = false;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  start(): void {
    this.#isTried = true;
    this.#running = this.#run().finally(() => {
      this.#isTried = false;
    });
  }

  /** A connection is there, or tried for: always, from start to stop. */
  get isTried(): boolean {
    return this.#isTried;
  }

  get isConnected(): boolean {
    return this.#isUp;
  }

  /** At most once, and not at all while there is no connection: commands are republished until reported. */
  publish(subject: string, bytes: Uint8Array): void {
    if (!this.#isUp || !this.#connection) return;
    if (bytes.byteLength > maxMessageBytes) {
      const context = { event: "message-too-large", subject, bytes: bytes.byteLength, maxMessageBytes };
      this.#options.log.error(context, "a message is too large to be sent");
      return;
    }
    this.#connection.publish(subject, bytes);
  }

  /** Sends what is still to be sent and closes. */
  async stop(): Promise<void> {
    this.#stop.abort();
    if (this.#connection && this.#isUp) {
      // Lost at this very moment, there is nobody left to send it to.
      const flushed = this.#connection.flush().catch(() => undefined);
      await Promise.race([flushed, sleep(drainDeadlineMs)]);
    }
    await this.#connection?.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { log, url } = this.#options;
    while (!this.#stop.signal.aborted) {
      try {
        const connection = await this.#connect();
        if (this.#stop.signal.aborted) return await connection.close();
        await this.#live(connection);
      } catch (cause) {
        log.warn({ event: "nats-unreachable", url, reason: messageOf(cause) }, "no connection to NATS");
      }
      this.#down();
      await Promise.race([sleep(retryMs), aborted(this.#stop.signal)]);
    }
  }

  #connect(): Promise<NatsConnection> {
    const { url, user, password } = this.#options;
    return connect({
      servers: url,
      user,
      pass: password,
      name: "siding-control-plane",
      timeout: connectTimeoutMs,
      reconnect: true,
      maxReconnectAttempts: -1,
      reconnectTimeWait: retryMs,
      reconnectJitter: retryJitterMs,
      // The managed server may be back before its users are known to us, and an operator may mend a password.
      ignoreAuthErrorAbort: true,
      ignoreClusterUpdates: false,
      pingInterval: pingIntervalMs,
      maxPingOut: unansweredPings,
    });
  }

  /** One connection, over all its reconnects, until it is closed for good. */
  async #live(connection: NatsConnection): Promise<void> {
    try {
      this.#connection = connection;
      for (const [subject, receive] of Object.entries(this.#options.subscriptions)) {
        connection.subscribe(subject, { callback: (error, message) => this.#take(error, message, receive) });
      }
      const watching = this.#watch(connection);
      await connection.flush();
      this.#up();
      const reason = await connection.closed();
      await watching;
      if (reason) throw reason;
    } finally {
      await connection.close();
    }
  }

  async #watch(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === "disconnect") this.#down();
      else if (status.type === "reconnect") this.#up();
      else if (status.type === "error") {
        this.#options.log.warn({ event: "nats-error", reason: status.error.message }, "NATS complains");
      }
    }
  }

  #take(error: Error | null, message: Msg, receive: (subject: string, bytes: Uint8Array) => void): void {
    if (error) {
      this.#options.log.error(
        { event: "nats-subscription-ended", reason: error.message },
        "not heard any more",
      );
      return;
    }
    try {
      receive(message.subject, message.data);
    } catch (bug) {
      // Thrown here it would only break this connection, again and again; a bug ends the process.
      setImmediate(() => {
        throw bug;
      });
    }
  }

  #up(): void {
    if (this.#isUp) return;
    this.#isUp = true;
    this.#options.log.info({ event: "nats-connected", url: this.#options.url }, "connected to NATS");
    this.#options.onConnected();
  }

  #down(): void {
    if (!this.#isUp) return;
    this.#isUp = false;
    if (!this.#stop.signal.aborted) {
      this.#options.log.warn({ event: "nats-disconnected", url: this.#options.url }, "lost NATS");
    }
    this.#options.onDisconnected();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
