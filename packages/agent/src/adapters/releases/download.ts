import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { err, messageOf, ok, type Result } from "@siding/shared/result";
import type { Release } from "@siding/shared/target";
import type { StageFailure } from "../../machine/event.ts";
import { storageFailure } from "../system/storage-failure.ts";

/** Without a byte for so long the transfer is given up; the machine tries again. */
const silenceMs = 30_000;
/** Whoever asks us to come back later than this is asked before nevertheless. */
const longestRetryAfterMs = 60_000;

export interface ArtifactSource {
  readonly url: string;
  readonly token: string;
}

type Failed = Result<null, StageFailure>;

const wrongBytes = "artifact-digest-mismatch";

/**
 * Completes the file with the artifact, going on where an earlier try broke off, and says whether it is the one that
 * was meant. Wrong bytes are thrown away and fetched anew, once: they may be those of a file that a crash has damaged.
 */
export async function download(
  source: ArtifactSource,
  release: Release,
  path: string,
  signal: AbortSignal,
): Promise<Failed> {
  const first = await complete(source, release, path, signal);
  if (first.ok || first.error.failure.code !== wrongBytes) return first;
  await rm(path, { force: true });
  return complete(source, release, path, signal);
}

async function complete(
  source: ArtifactSource,
  release: Release,
  path: string,
  signal: AbortSignal,
): Promise<Failed> {
  const haveBytes = await sizeOf(path);
  if (haveBytes < release.sizeBytes) {
    const fetched = await fetchRest(source, release, { path, haveBytes }, signal);
    if (!fetched.ok) return fetched;
  }
  return verified(release, path);
}

/** What an earlier try has left. */
interface Partial {
  readonly path: string;
  readonly haveBytes: number;
}

async function fetchRest(
  source: ArtifactSource,
  release: Release,
  partial: Partial,
  signal: AbortSignal,
): Promise<Failed> {
  const response = await ask(source, release, partial.haveBytes, signal);
  if (!response.ok) return response;
  const { statusCode } = response.value;
  // The whole, although a part was asked for: then from the beginning.
  const fromBytes = statusCode === 206 ? partial.haveBytes : 0;
  const wrong = wrongAnswer(response.value, release, fromBytes);
  if (wrong !== null) {
    response.value.destroy();
    return wrong;
  }
  return receive(response.value, release, { path: partial.path, haveBytes: fromBytes }, signal);
}

async function ask(
  { url, token }: ArtifactSource,
  { digest }: Release,
  haveBytes: number,
  signal: AbortSignal,
): Promise<Result<IncomingMessage, StageFailure>> {
  const address = new URL(`/v1/artifacts/${digest}`, url);
  const send = address.protocol === "https:" ? (await import("node:https")).request : request;
  return new Promise((resolve) => {
    const rest = haveBytes === 0 ? {} : { range: `bytes=${haveBytes}-`, "if-range": `"${digest}"` };
    const headers = { authorization: `Bearer ${token}`, ...rest };
    const asked = send(address, { signal, agent: false, headers, timeout: silenceMs });
    asked.on("timeout", () => asked.destroy(new Error(`no answer for ${silenceMs / 1_000} s`)));
    asked.on("error", (cause) =>
      resolve(unavailable("until-deadline", `the control plane at ${address.origin}: ${messageOf(cause)}`)),
    );
    asked.on("response", (response) => resolve(ok(response)));
    asked.end();
  });
}

/** What can be known before the first byte. */
function wrongAnswer(response: IncomingMessage, release: Release, fromBytes: number) {
  const status = response.statusCode ?? 0;
  if (status === 404) return unavailable("few", `the control plane does not have ${release.digest}`);
  if (status === 429 || status >= 500) return notNow(response, status);
  if (status === 416) return failed(wrongBytes, "the control plane has fewer bytes than this host", "never");
  if (status !== 200 && status !== 206) return unavailable("never", `the control plane answered ${status}`);
  const range = response.headers["content-range"];
  if (status === 206 && range?.startsWith(`bytes ${fromBytes}-`) !== true)
    return unavailable("never", `the control plane answered with the range ${range}, not from ${fromBytes}`);
  const length = response.headers["content-length"];
  if (length === undefined || fromBytes + Number(length) === release.sizeBytes) return null;
  return wrongSize(fromBytes + Number(length), release);
}

/** Too much to do, or not well: it may say when to ask again. */
function notNow({ headers }: IncomingMessage, status: number): Failed {
  const seconds = Number(headers["retry-after"]);
  const message = `the control plane answered ${status}`;
  if (!Number.isInteger(seconds) || seconds <= 0) return unavailable("until-deadline", message);
  const afterMs = Math.min(seconds * 1_000, longestRetryAfterMs);
  const failure = { code: "artifact-unavailable", message: `${message}: ask again in ${seconds} s` };
  return err({ failure, retry: "until-deadline", afterMs });
}

async function receive(
  response: IncomingMessage,
  release: Release,
  { path, haveBytes }: Partial,
  signal: AbortSignal,
): Promise<Failed> {
  let bytes = haveBytes;
  let cut: unknown = null;
  /** Ends where the transfer breaks off, so that all that has come is kept. */
  async function* arriving() {
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes > release.sizeBytes) return;
        yield chunk;
      }
    } catch (cause) {
      cut = cause;
    }
  }
  const file = createWriteStream(path, { flags: haveBytes === 0 ? "w" : "a", flush: true, mode: 0o600 });
  try {
    await pipeline(arriving, file, { signal });
  } catch (cause) {
    const failure = storageFailure(cause, dirname(path));
    if (failure !== null) return err({ failure, retry: "never" });
    cut = cause;
  }
  if (cut !== null) return broken(cut, release, bytes, bytes > haveBytes);
  return bytes === release.sizeBytes ? ok(null) : wrongSize(bytes, release);
}

/** A transfer that gets further each time gets there; one that gets nowhere is tried a few times. */
function broken(cause: unknown, { sizeBytes }: Release, bytes: number, gained: boolean): Failed {
  const message = `the transfer broke off after ${bytes} of ${sizeBytes} bytes: ${messageOf(cause)}`;
  return failed("artifact-truncated", message, gained ? "until-deadline" : "few");
}

/** Judged by what lies on the disk, whichever tries have brought it there. */
async function verified({ digest: wanted, sizeBytes }: Release, path: string): Promise<Failed> {
  const size = await sizeOf(path);
  if (size !== sizeBytes) return wrongSize(size, { sizeBytes });
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  const digest = `sha256:${hash.digest("hex")}`;
  if (digest === wanted) return ok(null);
  return failed(wrongBytes, `the artifact has ${digest} and should have ${wanted}`, "never");
}

function wrongSize(bytes: number, { sizeBytes }: Pick<Release, "sizeBytes">): Failed {
  const message = `the artifact has ${bytes} bytes and should have ${sizeBytes}`;
  return failed(bytes < sizeBytes ? "artifact-truncated" : wrongBytes, message, "never");
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return 0;
    throw cause;
  }
}

function unavailable(retry: StageFailure["retry"], message: string) {
  return failed("artifact-unavailable", message, retry);
}

function failed(code: string, message: string, retry: StageFailure["retry"]) {
  return err<StageFailure>({ failure: { code, message }, retry });
}
