import { createHash } from "node:crypto";

/** Where the story of a run goes. The text is only made where somebody reads it. */
export interface Trace {
  line(atMs: number, text: () => string): void;
}

export const noTrace: Trace = { line: () => {} };

/** Writes each line to `write`. */
export function writtenTrace(write: (line: string) => void): Trace {
  return { line: (atMs, text) => write(lineOf(atMs, text)) };
}

/** Keeps only a digest of the whole story: two runs with equal digests did the same, byte for byte. */
export class DigestedTrace implements Trace {
  readonly #hash = createHash("sha256");

  line(atMs: number, text: () => string): void {
    this.#hash.update(lineOf(atMs, text));
    this.#hash.update("\n");
  }

  /** Ends the story. */
  digest(): string {
    return this.#hash.digest("hex");
  }
}

function lineOf(atMs: number, text: () => string): string {
  return `${(atMs / 1_000).toFixed(3).padStart(10)}  ${text()}`;
}
