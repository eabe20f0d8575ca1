import { createHash, randomBytes } from "node:crypto";
import { createReadStream, mkdirSync, rmSync } from "node:fs";
import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { Digest } from "@siding/shared/ids";
import { err, failure, messageOf, ok, type Result } from "@siding/shared/result";
import { syncFolder } from "../data-dir/durable-file.ts";

export interface StoredArtifact {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

/** Inclusive, as in HTTP. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** Artifacts as files named by their digest. What was not received whole is never seen under such a name. */
export class ArtifactStore {
  readonly #folder: string;
  readonly #incoming: string;
  readonly #limitBytes: number;

  constructor(folder: string, limitBytes: number) {
    this.#folder = folder;
    this.#incoming = join(folder, "incoming");
    this.#limitBytes = limitBytes;
    // Whatever the last process was receiving when it ended, nobody will finish.
    rmSync(this.#incoming, { recursive: true, force: true });
    mkdirSync(this.#incoming, { recursive: true, mode: 0o700 });
  }

  get limitBytes(): number {
    return this.#limitBytes;
  }

  /**
   * Takes in an artifact as it arrives; it is on the disk for good when this returns. Errors: `artifact-too-large`,
   * `artifact-empty`, `artifact-incomplete` (the sender went away), `artifact-not-stored` (disk full),
   * `artifact-digest-mismatch` (it is not `expected`).
   */
  async receive(
    chunks: AsyncIterable<Uint8Array>,
    expected: Digest | null = null,
  ): Promise<Result<StoredArtifact>> {
    const temporary = join(this.#incoming, randomBytes(12).toString("hex"));
    const file = await this.#create(temporary);
    if (!file.ok) return file;
    try {
      const received = await this.#writeAll(file.value, chunks);
      if (!received.ok) return received;
      const { digest, sizeBytes } = received.value;
      if (expected !== null && digest !== expected) {
        const message = `${sizeBytes} bytes with ${digest} have come; ${expected} was declared`;
        return err(failure("artifact-digest-mismatch", message));
      }
      await rename(temporary, this.#pathOf(digest));
      syncFolder(this.#folder);
      return received;
    } catch (cause) {
      return err(notStored(this.#folder, cause));
    } finally {
      await file.value.close();
      await rm(temporary, { force: true });
    }
  }

  async #create(temporary: string): Promise<Result<FileHandle>> {
    try {
      return ok(await open(temporary, "wx", 0o600));
    } catch (cause) {
      return err(notStored(this.#folder, cause));
    }
  }

  async #writeAll(file: FileHandle, chunks: AsyncIterable<Uint8Array>): Promise<Result<StoredArtifact>> {
    const hash = createHash("sha256");
    let sizeBytes = 0;
    for await (const chunk of incoming(chunks)) {
      if (!(chunk instanceof Uint8Array)) return err(chunk);
      sizeBytes += chunk.byteLength;
      if (sizeBytes > this.#limitBytes) {
        return err(failure("artifact-too-large", `an artifact has at most ${this.#limitBytes} bytes`));
      }
      hash.update(chunk);
      await file.writeFile(chunk);
    }
    if (sizeBytes === 0) return err(failure("artifact-empty", "an artifact has at least one byte"));
    await file.sync();
    return ok({ digest: `sha256:${hash.digest("hex")}` as Digest, sizeBytes });
  }

  /** The size of the file; null where there is none. */
  async sizeOf(digest: Digest): Promise<number | null> {
    try {
      return (await stat(this.#pathOf(digest))).size;
    } catch (cause) {
      if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return null;
      throw cause;
    }
  }

  read(digest: Digest, { first, last }: ByteRange): Readable {
    return createReadStream(this.#pathOf(digest), { start: first, end: last });
  }

  #pathOf(digest: Digest): string {
    return join(this.#folder, digest.slice("sha256:".length));
  }
}

/** The sender's chunks; where it breaks off, its failure as the last one: that is its fault, not the disk's. */
async function* incoming(chunks: AsyncIterable<Uint8Array>) {
  try {
    yield* chunks;
  } catch (cause) {
    yield failure("artifact-incomplete", `it broke off before its end: ${messageOf(cause)}`, cause);
  }
}

function notStored(folder: string, cause: unknown) {
  const message = `the artifact could not be stored in ${folder}: ${messageOf(cause)}`;
  return failure("artifact-not-stored", message, cause);
}
