import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { err, messageOf, ok, type Result } from "@siding/shared/result";
import type { Release } from "@siding/shared/target";
import type { StageFailure } from "../../machine/event.ts";

/** Without a byte for so long the transfer is given up; the machine tries again. */
const silenceMs = 30_000;

export interface ArtifactSource {
  readonly url: string;
  readonly token: string;
}

type Failed = Result<null, StageFailure>;

/** Streams an artifact into a file, and says whether it is the one that was meant. */
export async function download(
  source: ArtifactSource,
  release: Release,
  path: string,
  signal: AbortSignal,
): Promise<Failed> {
  const response = await ask(source, release, signal);
  if (!response.ok) return response;
  const wrong = wrongAnswer(response.value, release);
  if (wrong !== null) {
    response.value.destroy();
    return wrong;
  }
  return receive(response.value, release, path, signal);
}

async function ask(
  { url, token }: ArtifactSource,
  release: Release,
  signal: AbortSignal,
): Promise<Result<IncomingMessage, StageFailure>> {
  const address = new URL(`/v1/artifacts/${release.digest}`, url);
  const send = address.protocol === "https:" ? (await import("node:https")).request : request;
  return new Promise((resolve) => {
    const headers = { authorization: `Bearer ${token}` };
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
function wrongAnswer(response: IncomingMessage, release: Release) {
  const status = response.statusCode ?? 0;
  if (status === 404) return unavailable("few", `the control plane does not have ${release.digest}`);
  if (status === 429 || status >= 500)
    return unavailable("until-deadline", `the control plane answered ${status}`);
  if (status !== 200) return unavailable("never", `the control plane answered ${status}`);
  const length = response.headers["content-length"];
  if (length === undefined || Number(length) === release.sizeBytes) return null;
  return wrongSize(Number(length), release);
}

async function receive(
  response: IncomingMessage,
  release: Release,
  path: string,
  signal: AbortSignal,
): Promise<Failed> {
  const hash = createHash("sha256");
  let bytes = 0;
  const checked = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      hash.update(chunk);
      done(bytes > release.sizeBytes ? new TooLong() : null, chunk);
    },
  });
  try {
    await pipeline(response, checked, createWriteStream(path, { flush: true, mode: 0o600 }), { signal });
  } catch (cause) {
    return broken(cause, bytes, release);
  }
  if (bytes !== release.sizeBytes) return wrongSize(bytes, release);
  const digest = `sha256:${hash.digest("hex")}`;
  if (digest === release.digest) return ok(null);
  return failed(
    "artifact-digest-mismatch",
    `the artifact has ${digest} and should have ${release.digest}`,
    "never",
  );
}

class TooLong extends Error {}

function broken(cause: unknown, bytes: number, release: Release) {
  if (cause instanceof TooLong) return wrongSize(bytes, release);
  if ((cause as NodeJS.ErrnoException).code === "ENOSPC") return diskFull(cause);
  const message = `the transfer broke off after ${bytes} of ${release.sizeBytes} bytes: ${messageOf(cause)}`;
  return failed("artifact-truncated", message, "few");
}

function wrongSize(bytes: number, release: Release) {
  const message = `the artifact has ${bytes} bytes and should have ${release.sizeBytes}`;
  const code = bytes < release.sizeBytes ? "artifact-truncated" : "artifact-digest-mismatch";
  return failed(code, message, "never");
}

function unavailable(retry: StageFailure["retry"], message: string) {
  return failed("artifact-unavailable", message, retry);
}

export function diskFull(cause: unknown) {
  return failed("disk-full", `no space left for the release: ${messageOf(cause)}`, "never");
}

export function failed(code: string, message: string, retry: StageFailure["retry"]) {
  return err<StageFailure>({ failure: { code, message }, retry });
}
