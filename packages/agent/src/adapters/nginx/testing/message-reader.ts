import { createHash } from "node:crypto";

type Framing =
  | { readonly kind: "none" }
  | { readonly kind: "length"; left: number }
  /** `left`: of the chunk at hand, with its line end; null where a size, or a trailer, comes next. */
  | { readonly kind: "chunked"; left: number | null; ended: boolean }
  | { readonly kind: "close" };

/** What was said in one message, as it was written. */
export interface Message {
  /** Start line and headers of everything that was said, interim answers first. */
  readonly heads: readonly string[];
  readonly framing: Framing["kind"];
  readonly bytes: number;
  /** The body itself where it is short, else its digest. */
  readonly body: string;
  readonly trailers: string;
  /** Its end was there, and not only the end of the connection. */
  readonly complete: boolean;
}

/** More than anybody reads in a failed test. */
const shownBytes = 2_000;

/** Behind each chunk, and no part of it. */
const lineEndBytes = 2;

/**
 * Reads one HTTP/1 message from the bytes of a connection. Nothing is corrected and nothing is hidden, which is why it is
 * no library's.
 */
export class MessageReader {
  readonly #heads: string[] = [];
  readonly #hash = createHash("sha256");
  /** Whether the last head has a body at all, whatever it says. */
  readonly #hasBody: (head: string) => boolean;
  readonly #untilClose: boolean;
  #framing: Framing | null = null;
  #rest: Buffer = Buffer.alloc(0);
  #shown = "";
  #bytes = 0;
  #trailers = "";
  #complete = false;

  static request(): MessageReader {
    return new MessageReader(() => true, false);
  }
  static answer(toHead: boolean): MessageReader {
    return new MessageReader((head) => !toHead && !/^HTTP\/1\.\d (204|304)/.test(head), true);
  }

  private constructor(hasBody: (head: string) => boolean, untilClose: boolean) {
    this.#hasBody = hasBody;
    this.#untilClose = untilClose;
  }

  get head(): string | null {
    return this.#framing === null ? null : (this.#heads.at(-1) ?? null);
  }
  get complete(): boolean {
    return this.#complete;
  }

  push(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (this.#framing === null) if (!this.#readHead()) return;
    if (this.#framing.kind === "chunked") {
      while (!this.#complete && this.#readChunk(this.#framing));
      return;
    }
    const rest = this.#rest;
    this.#rest = Buffer.alloc(0);
    this.#take(rest);
  }

  message(): Message {
    return {
      heads: this.#heads,
      framing: this.#framing?.kind ?? "none",
      bytes: this.#bytes,
      body: this.#bytes > shownBytes ? this.#hash.copy().digest("hex") : this.#shown,
      trailers: this.#trailers,
      complete: this.#complete,
    };
  }

  #readHead(): boolean {
    const end = this.#rest.indexOf("\r\n\r\n");
    if (end < 0) return false;
    const head = this.#rest.toString("latin1", 0, end + 2);
    this.#rest = this.#rest.subarray(end + 4);
    this.#heads.push(head);
    if (!/^HTTP\/1\.\d 1(?!01)\d\d/.test(head)) this.#framing = this.#framingOf(head);
    return true;
  }

  #framingOf(head: string): Framing {
    if (!this.#hasBody(head)) return this.#ended({ kind: "none" });
    if (/^transfer-encoding: *chunked/im.test(head)) return { kind: "chunked", left: null, ended: false };
    const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? Number.NaN);
    if (length > 0) return { kind: "length", left: length };
    if (length === 0) return this.#ended({ kind: "length", left: 0 });
    return this.#untilClose ? { kind: "close" } : this.#ended({ kind: "none" });
  }

  #ended(framing: Framing): Framing {
    this.#complete = true;
    return framing;
  }

  /** A piece of a chunk, or a line between chunks; false where more has to come first. */
  #readChunk(framing: Extract<Framing, { kind: "chunked" }>): boolean {
    if (framing.left !== null) return this.#readPiece(framing, framing.left);
    const line = this.#line();
    if (line === null) return false;
    if (framing.ended) {
      this.#complete = line === "";
      if (line !== "") this.#trailers += `${line}\r\n`;
      return true;
    }
    const size = Number.parseInt(line, 16);
    framing.ended = size === 0;
    framing.left = size === 0 ? null : size + lineEndBytes;
    return true;
  }

  #readPiece(framing: Extract<Framing, { kind: "chunked" }>, left: number): boolean {
    const piece = this.#rest.subarray(0, left);
    this.#rest = this.#rest.subarray(piece.length);
    this.#note(piece.subarray(0, Math.max(0, Math.min(piece.length, left - lineEndBytes))));
    framing.left = left === piece.length ? null : left - piece.length;
    return framing.left === null;
  }

  #line(): string | null {
    const end = this.#rest.indexOf("\r\n");
    if (end < 0) return null;
    const line = this.#rest.toString("latin1", 0, end);
    this.#rest = this.#rest.subarray(end + 2);
    return line;
  }

  #take(piece: Buffer): void {
    this.#note(piece);
    if (this.#framing?.kind !== "length") return;
    this.#framing.left -= piece.length;
    this.#complete = this.#framing.left <= 0;
  }

  #note(piece: Buffer): void {
    this.#hash.update(piece);
    this.#bytes += piece.length;
    if (this.#bytes <= shownBytes) this.#shown += piece.toString("latin1");
  }
}
