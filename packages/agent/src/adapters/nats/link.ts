import { connect, type NatsConnection } from "@nats-io/transport-node";
import { Command } from "@siding/shared/command";
import type { HostId } from "@siding/shared/ids";
import { encodeMessage, parseMessage } from "@siding/shared/message";
import type { Beat, Report } from "@siding/shared/report";
import { messageOf } from "@siding/shared/result";
import { subjects } from "@siding/shared/subjects";
import type { Voice } from "../../ports/voice.ts";

/** A restarted NATS is back within a second; the jitter keeps a fleet from coming all at once. */
const reconnectWaitMs = 250;
const reconnectJitterMs = 250;
/** A dead link is noticed within this, twice. */
const pingIntervalMs = 10_000;
/** When NATS has closed for good (its user was refused), another connection is tried after this. */
const afterCloseMs = 1_000;

export interface LinkConfig {
  readonly url: string;
  readonly hostId: HostId;
  readonly token: string;
}

/** What the link tells; each in the order in which it happens. */
export interface LinkListener {
  connected(): void;
  disconnected(why: string): void;
  command(command: Command): void;
  /** A message that is no command of ours; it is dropped. */
  unreadable(code: string, message: string): void;
}

/** The agent's one connection. It is tried for ever: without it the agent goes on with what it was told. */
export class NatsLink implements Voice {
  readonly #config: LinkConfig;
  readonly #listener: LinkListener;
  #connection: NatsConnection | null = null;
  #closing = false;
  /** What the listener was told last, so that it hears of each change once. */
  #isUp = false;
  #lastWhy: string | null = null;

  constructor(config: LinkConfig, listener: LinkListener) {
    this.#config = config;
    this.#listener = listener;
  }

  /** Returns when the link was closed by {@link close}. */
  async run(): Promise<void> {
    while (!this.#closing) {
      try {
        this.#connection = await this.#connect();
        await this.#serve(this.#connection);
      } catch (cause) {
        this.#down(messageOf(cause));
      }
      // One that broke before it was of use would go on reconnecting beside the next one.
      await this.#connection?.close();
      this.#connection = null;
      if (!this.#closing) await new Promise((resolve) => setTimeout(resolve, afterCloseMs));
    }
  }

  report(report: Report): void {
    this.#publish(subjects.report(this.#config.hostId), report);
  }

  beat(beat: Beat): void {
    this.#publish(subjects.beat(this.#config.hostId), beat);
  }

  async close(): Promise<void> {
    this.#closing = true;
    const connection = this.#connection;
    if (connection === null) return;
    // What was said last shall still be heard, but nobody waits for a NATS that is away.
    await Promise.race([
      connection.flush(),
      new Promise((resolve) => setTimeout(resolve, afterCloseMs)),
    ]).catch(() => undefined);
    await connection.close();
  }

  #connect(): Promise<NatsConnection> {
    const { url, hostId, token } = this.#config;
    return connect({
      servers: url,
      name: hostId,
      user: hostId,
      pass: token,
      maxReconnectAttempts: -1,
      reconnectTimeWait: reconnectWaitMs,
      reconnectJitter: reconnectJitterMs,
      pingInterval: pingIntervalMs,
      // A host is declared before or after its agent is started: until then NATS refuses it.
      ignoreAuthErrorAbort: true,
    });
  }

  async #serve(connection: NatsConnection): Promise<void> {
    const commands = connection.subscribe(subjects.command(this.#config.hostId), {
      callback: (error, message) => {
        if (error !== null) this.#listener.unreadable("nats", messageOf(error));
        else this.#take(message.data);
      },
    });
    // Once the subscription is known to NATS, an answer to the first report can't be missed.
    await connection.flush();
    this.#up();
    for await (const status of connection.status()) {
      if (status.type === "disconnect") this.#down("the connection to NATS broke");
      if (status.type === "reconnect") this.#up();
    }
    commands.unsubscribe();
    const why = await connection.closed();
    if (!this.#closing) this.#down(why instanceof Error ? why.message : "NATS closed the connection");
  }

  #up(): void {
    this.#isUp = true;
    this.#listener.connected();
  }

  /** Also said of a first connection that does not come about, once. */
  #down(why: string): void {
    if (!this.#isUp && why === this.#lastWhy) return;
    this.#isUp = false;
    this.#lastWhy = why;
    this.#listener.disconnected(why);
  }

  #take(bytes: Uint8Array): void {
    const parsed = parseMessage(Command, bytes);
    if (parsed.ok) this.#listener.command(parsed.value);
    else this.#listener.unreadable(parsed.error.code, parsed.error.message);
  }

  #publish(subject: string, message: unknown): void {
    const connection = this.#connection;
    if (connection === null || connection.isClosed()) return;
    connection.publish(subject, encodeMessage(message));
  }
}
