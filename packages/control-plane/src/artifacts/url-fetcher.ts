import type { Digest } from "@siding/shared/ids";
import { err, type Failure, failure, messageOf, ok, type Result } from "@siding/shared/result";
import type { ArtifactStore, StoredArtifact } from "./store.ts";

/** Fetches beyond these are refused, to be asked for again: they share our line and our disk. */
const maxFetches = 4;
/** A download site leads to its mirror, and that to its storage; more is a circle. */
const maxRedirects = 5;
/** Without a byte for so long the other side has gone. */
const longestSilenceMs = 30_000;
/** 2 GiB at 2.4 MB/s. */
const fetchDeadlineMs = 900_000;

export interface FetchLimits {
  readonly maxFetches: number;
  readonly maxRedirects: number;
  readonly longestSilenceMs: number;
  readonly fetchDeadlineMs: number;
}

export interface RemoteArtifact {
  readonly url: string;
  readonly digest: Digest;
}

/**
 * Fetches artifacts from addresses: the control plane alone, once for everybody who asks at the same time. What was not
 * fetched whole, and is not what was meant, leaves nothing.
 */
export class UrlFetcher {
  readonly #store: ArtifactStore;
  readonly #limits: FetchLimits;
  readonly #underWay = new Map<string, Promise<Result<StoredArtifact>>>();

  constructor(store: ArtifactStore, limits: Partial<FetchLimits> = {}) {
    this.#store = store;
    this.#limits = { maxFetches, maxRedirects, longestSilenceMs, fetchDeadlineMs, ...limits };
  }

  /** The longest that {@link fetch} takes. */
  get deadlineMs(): number {
    return this.#limits.fetchDeadlineMs;
  }

  /**
   * Errors: `artifact-not-fetched`, naming the address and what it answered; `too-many-fetches`; and those of
   * {@link ArtifactStore.receive}.
   */
  fetch(remote: RemoteArtifact): Promise<Result<StoredArtifact>> {
    const key = `${remote.digest} ${remote.url}`;
    const running = this.#underWay.get(key);
    if (running) return running;
    if (this.#underWay.size >= this.#limits.maxFetches) {
      const message = `${this.#underWay.size} artifacts are being fetched; ask again when one has come`;
      return Promise.resolve(err(failure("too-many-fetches", message)));
    }
    const started = this.#fetch(remote).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, started);
    return started;
  }

  async #fetch({ url, digest }: RemoteArtifact): Promise<Result<StoredArtifact>> {
    const patience = new Patience(this.#limits);
    try {
      const response = await this.#follow(url, patience);
      if (!response.ok) return response;
      const { body } = response.value;
      if (body === null) return err(notFetched(url, "the answer has no content"));
      const received = await this.#store.receive(patience.watch(body), digest);
      return received.ok ? received : err(ofAddress(url, received.error));
    } finally {
      patience.end();
    }
  }

  /** The answer that has the bytes, wherever the address leads. */
  async #follow(url: string, patience: Patience): Promise<Result<Response>> {
    let address = url;
    for (let redirects = 0; redirects <= this.#limits.maxRedirects; redirects += 1) {
      const asked = await ask(url, address, patience);
      if (!asked.ok) return asked;
      const response = asked.value;
      const location = isRedirect(response.status) ? response.headers.get("location") : null;
      if (location === null) return this.#judged(url, address, response);
      await response.body?.cancel();
      const next = URL.parse(location, address);
      if (next === null || !/^https?:$/.test(next.protocol)) {
        return err(notFetched(url, `it leads to '${location}'; only http and https are followed`));
      }
      address = next.href;
    }
    return err(
      notFetched(url, `it leads on more than ${this.#limits.maxRedirects} times, last to ${address}`),
    );
  }

  /** What can be known before the first byte. */
  async #judged(url: string, address: string, response: Response): Promise<Result<Response>> {
    const sizeBytes = Number(response.headers.get("content-length") ?? 0);
    const { limitBytes } = this.#store;
    const where = address === url ? "" : ` (at ${address})`;
    if (response.status === 200 && sizeBytes <= limitBytes) return ok(response);
    await response.body?.cancel();
    if (response.status !== 200) return err(notFetched(url, `it answered ${response.status}${where}`));
    const why = `it has ${sizeBytes} bytes${where}; an artifact has at most ${limitBytes} (limits.artifact of the config)`;
    return err(notFetched(url, why));
  }
}

async function ask(url: string, address: string, patience: Patience): Promise<Result<Response>> {
  try {
    // As it lies there: what is decompressed on the way has another digest.
    const headers = { "accept-encoding": "identity", "user-agent": "siding" };
    return ok(await fetch(address, { redirect: "manual", headers, signal: patience.signal }));
  } catch (cause) {
    const where = address === url ? "" : ` (at ${address})`;
    return err(notFetched(url, `${reasonOf(cause)}${where}`, cause));
  }
}

/** `fetch` hides what happened behind "fetch failed". */
function reasonOf(thrown: unknown): string {
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  return cause instanceof Error && cause.message !== "" ? cause.message : messageOf(thrown);
}

function isRedirect(status: number): boolean {
  return [301, 302, 303, 307, 308].includes(status);
}

function notFetched(url: string, why: string, cause?: unknown): Failure {
  return failure("artifact-not-fetched", `${url} could not be fetched: ${why}`, cause);
}

/** What the other side sent is its fault; a disk that takes nothing is ours. */
function ofAddress(url: string, { code, message, cause }: Failure): Failure {
  const isOurs = code === "artifact-not-stored";
  if (isOurs || code === "artifact-digest-mismatch") return failure(code, `${url}: ${message}`, cause);
  return notFetched(url, message, cause);
}

/** How long a fetch may be silent, and how long it may take. */
class Patience {
  readonly #limits: FetchLimits;
  readonly #control = new AbortController();
  readonly #whole: NodeJS.Timeout;
  #silence: NodeJS.Timeout;

  constructor(limits: FetchLimits) {
    this.#limits = limits;
    const { fetchDeadlineMs: wholeMs } = limits;
    this.#whole = setTimeout(() => this.#giveUp(`it took longer than ${wholeMs / 1_000} s`), wholeMs);
    this.#silence = this.#listen();
  }

  get signal(): AbortSignal {
    return this.#control.signal;
  }

  /** The same bytes; each is a sign of life. */
  async *watch(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      clearTimeout(this.#silence);
      this.#silence = this.#listen();
      yield chunk;
    }
  }

  end(): void {
    clearTimeout(this.#whole);
    clearTimeout(this.#silence);
  }

  #listen(): NodeJS.Timeout {
    const { longestSilenceMs: silentMs } = this.#limits;
    return setTimeout(() => this.#giveUp(`nothing came for ${silentMs / 1_000} s`), silentMs);
  }

  #giveUp(why: string): void {
    this.#control.abort(new Error(why));
  }
}
