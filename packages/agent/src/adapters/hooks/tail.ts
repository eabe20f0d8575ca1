/** The last bytes of an output, however long it is. */
export class Tail {
  readonly #limitBytes: number;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    for (let first = this.#chunks[0]; first && this.#bytes - first.length >= this.#limitBytes; ) {
      this.#chunks.shift();
      this.#bytes -= first.length;
      first = this.#chunks[0];
    }
  }

  /** What is left of a character that the limit has cut is left out. */
  get text(): string {
    const all = Buffer.concat(this.#chunks);
    const cut = all.length > this.#limitBytes;
    const text = all.subarray(Math.max(0, all.length - this.#limitBytes)).toString("utf8");
    return cut ? text.replace(/^\uFFFD+/u, "") : text;
  }
}
