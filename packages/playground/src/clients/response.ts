import { type Failed, failed } from "./failure.ts";

/** Longer heads are not what our service sends. */
const MAX_HEAD_BYTES = 64 * 1024;

const HEAD_END = "\r\n\r\n";

/** One complete answer. */
export type Answer = {
  readonly ok: true;
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  /** Whether the server closes the connection after it. */
  readonly closes: boolean;
};

/**
 * Reads one HTTP/1.1 answer, strictly: it has a Content-Length, exactly that many bytes follow, and nothing after them.
 * What a tolerant client would forgive is what a broken deploy looks like.
 */
export class ResponseReader {
  #bytes: Buffer = Buffer.alloc(0);
  #head: Omit<Answer, "body"> | undefined;
  #bodyStart = 0;
  #bodyLength = 0;

  /** Whether a part of the answer has come. */
  get begun(): boolean {
    return this.#bytes.length > 0;
  }

  /** Takes what came; gives the answer once it is whole, or why it can never be. */
  push(chunk: Buffer): Answer | Failed | undefined {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    if (this.#head === undefined) {
      const problem = this.#readHead();
      if (problem !== undefined) return problem;
    }
    if (this.#head === undefined) return undefined;
    const end = this.#bodyStart + this.#bodyLength;
    if (this.#bytes.length < end) return undefined;
    if (this.#bytes.length > end) {
      return failed("surplus", `${this.#bytes.length - end} bytes after the end of the answer`);
    }
    return { ...this.#head, body: this.#bytes.toString("utf8", this.#bodyStart) };
  }

  #readHead(): Failed | undefined {
    const end = this.#bytes.indexOf(HEAD_END);
    if (end === -1) {
      const tooLong = this.#bytes.length > MAX_HEAD_BYTES;
      return tooLong ? failed("malformed", `no end of the headers in ${MAX_HEAD_BYTES} bytes`) : undefined;
    }
    const [statusLine = "", ...lines] = this.#bytes.toString("latin1", 0, end).split("\r\n");
    const status = /^HTTP\/1\.1 (\d{3})( |$)/.exec(statusLine)?.[1];
    if (status === undefined) return failed("malformed", `status line '${statusLine.slice(0, 100)}'`);
    const headers = parseHeaders(lines);
    const length = headers.get("content-length") ?? "";
    if (!/^\d+$/.test(length)) return failed("malformed", `status ${status} without a content-length`);
    this.#bodyStart = end + HEAD_END.length;
    this.#bodyLength = Number(length);
    const closes = headers.get("connection")?.toLowerCase() === "close";
    this.#head = { ok: true, status: Number(status), headers, closes };
    return undefined;
  }
}

function parseHeaders(lines: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return headers;
}
