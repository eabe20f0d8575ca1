import type { LedgerEvent } from "../ledger/event.ts";

/** Where a stream of events comes from: the log, read page by page as fast as the client reads. */
export interface EventSource {
  /** The next events after a sequence, at most a page; empty: none yet. */
  readonly read: (after: number) => readonly LedgerEvent[];
  /** True when none will ever come again. */
  readonly isOver: () => boolean;
  /** Tells when there may be more; returns what ends that. */
  readonly subscribe: (listener: () => void) => () => void;
}

export interface EventStreamOptions {
  readonly heartbeatMs: number;
  /** A client that takes nothing for this many heartbeats is cut; it resumes by Last-Event-ID. */
  readonly patienceHeartbeats: number;
}

/** So much waits for a slow client in memory, and one page; everything else waits in the log. */
const bufferBytes = 65_536;

const encoder = new TextEncoder();

/**
 * Server-sent events of a log: `id` is the ledger's sequence. The stream pulls a page whenever its client has taken
 * the last one, so that no client can make us remember anything.
 */
export class EventStream {
  readonly body: ReadableStream<Uint8Array>;
  readonly #source: EventSource;
  readonly #options: EventStreamOptions;
  readonly #unsubscribe: () => void;
  readonly #timer: NodeJS.Timeout;
  readonly #onEnd: () => void;
  #cursor: number;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  #missedHeartbeats = 0;
  #news = Promise.withResolvers<void>();

  constructor(source: EventSource, after: number, options: EventStreamOptions, onEnd: () => void) {
    this.#source = source;
    this.#cursor = after;
    this.#options = options;
    this.#onEnd = onEnd;
    this.#unsubscribe = source.subscribe(() => this.#news.resolve());
    this.#timer = setInterval(() => this.#heartbeat(), options.heartbeatMs);
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
          // Said at once, so that the client knows that it is connected.
          controller.enqueue(encoder.encode("retry: 1000\n\n"));
        },
        pull: () => this.#pull(),
        cancel: () => this.#end(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: bufferBytes }),
    );
  }

  /** Ends the stream in order, as at our own end. */
  close(): void {
    if (!this.#controller) return;
    this.#controller.close();
    this.#end();
  }

  async #pull(): Promise<void> {
    while (this.#controller) {
      this.#news = Promise.withResolvers();
      const over = this.#source.isOver();
      const events = this.#source.read(this.#cursor);
      for (const event of events) {
        this.#controller.enqueue(encoder.encode(textOf(event)));
        this.#cursor = event.sequence;
      }
      if (events.length > 0) return;
      if (over) return this.close();
      await this.#news.promise;
    }
  }

  #heartbeat(): void {
    if (!this.#controller) return;
    if ((this.#controller.desiredSize ?? 0) > 0) {
      this.#missedHeartbeats = 0;
      this.#controller.enqueue(encoder.encode(": still here\n\n"));
      return;
    }
    this.#missedHeartbeats += 1;
    if (this.#missedHeartbeats < this.#options.patienceHeartbeats) return;
    this.#controller.error(new Error("the client reads too slowly"));
    this.#end();
  }

  #end(): void {
    this.#controller = null;
    clearInterval(this.#timer);
    this.#unsubscribe();
    this.#news.resolve();
    this.#onEnd();
  }
}

function textOf({ sequence, at, by, body }: LedgerEvent): string {
  const data = JSON.stringify({ sequence, at, by, ...body });
  return `id: ${sequence}\nevent: ${body.type}\ndata: ${data}\n\n`;
}
