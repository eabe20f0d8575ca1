/** One server-sent event. `data` goes as JSON. */
export interface StreamMessage {
  /** What a client names when it comes back, where it can go on from there. */
  readonly id?: number;
  readonly event: string;
  readonly data: unknown;
}

/** What a stream says, read page by page as fast as the client reads. */
export interface MessageSource {
  /** What there is to say since the last read, at most a page; empty: nothing yet. */
  readonly read: () => readonly StreamMessage[];
  /** True when nothing will ever come again. */
  readonly isOver: () => boolean;
  /** Tells when there may be more; returns what ends that. */
  readonly subscribe: (listener: () => void) => () => void;
}

export interface EventStreamOptions {
  readonly heartbeatMs: number;
  /** A client that takes nothing for this many heartbeats is cut; it resumes by Last-Event-ID. */
  readonly patienceHeartbeats: number;
}

/** So much waits for a slow client in memory, and one page; everything else waits in its source. */
const bufferBytes = 65_536;

const encoder = new TextEncoder();

/**
 * Server-sent events. The stream pulls a page from its source whenever its client has taken the last one, so that no
 * client can make us remember anything.
 */
export class EventStream {
  readonly body: ReadableStream<Uint8Array>;
  readonly #source: MessageSource;
  readonly #options: EventStreamOptions;
  readonly #unsubscribe: () => void;
  readonly #timer: NodeJS.Timeout;
  readonly #onEnd: () => void;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  #missedHeartbeats = 0;
  #news = Promise.withResolvers<void>();

  constructor(source: MessageSource, options: EventStreamOptions, onEnd: () => void) {
    this.#source = source;
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
      const messages = this.#source.read();
      for (const message of messages) this.#controller.enqueue(encoder.encode(textOf(message)));
      if (messages.length > 0) return;
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

function textOf({ id, event, data }: StreamMessage): string {
  return `${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** How often a silent stream says that it lives, and how long a client that takes nothing is kept. */
const streamOptions: EventStreamOptions = { heartbeatMs: 15_000, patienceHeartbeats: 2 };

/** The streams that are open, so that an orderly end can end them. */
export type OpenStreams = Set<EventStream>;

/** Answers with a stream that is known until it ends; no cache keeps it and no nginx holds it back. */
export function openStream(open: OpenStreams, source: MessageSource): Response {
  const stream: EventStream = new EventStream(source, streamOptions, () => open.delete(stream));
  open.add(stream);
  return new Response(stream.body, {
    headers: { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" },
  });
}
