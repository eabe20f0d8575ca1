import { Readable } from "node:stream";
import { z } from "@hono/zod-openapi";
import { Digest } from "@siding/shared/ids";
import type { ProblemCode } from "@siding/shared/problem";
import { ArtifactDocument } from "@siding/shared/rest";
import type { Failure } from "@siding/shared/result";
import type { Context } from "hono";
import type { ByteRange } from "../artifacts/store.ts";
import { artifactEvents } from "../orchestrator/declare.ts";
import type { HttpEnv } from "./auth.ts";
import { declaredDigest } from "./content-digest.ts";
import type { Desk } from "./desk.ts";
import { type Endpoint, jsonAnswer } from "./endpoint.ts";
import { notCommitted, problem } from "./problem.ts";
import { rangeOf } from "./ranges.ts";

const bytes = { "application/octet-stream": { schema: z.string().openapi({ format: "binary" }) } };

/** Artifacts: bytes in, once; bytes out, to agents too, in ranges so that a broken fetch goes on where it broke. */
export function artifactEndpoints(desk: Desk): readonly Endpoint[] {
  return [
    {
      method: "post",
      path: "/v1/artifacts",
      summary: "Upload an artifact (.tar.gz or .tar.zst) as the body",
      access: "admin",
      request: {
        headers: z.object({
          "Content-Digest": z.string().optional().openapi({ description: "sha-256=:BASE64: is checked" }),
        }),
        body: { required: true, content: bytes },
      },
      responses: {
        200: jsonAnswer("The same bytes were there already", ArtifactDocument),
        201: jsonAnswer("Stored", ArtifactDocument),
      },
      handle: (context) => upload(desk, context),
    },
    {
      method: "get",
      path: "/v1/artifacts/{digest}",
      summary: "Fetch an artifact, or a range of it",
      access: "agent",
      request: { params: z.object({ digest: Digest }) },
      responses: {
        200: { description: "The whole artifact", content: bytes },
        206: { description: "The range that was asked for", content: bytes },
      },
      handle: (context) => fetchArtifact(desk, context),
    },
  ];
}

async function upload(
  { artifacts, ledger, orchestrator }: Desk,
  context: Context<HttpEnv>,
): Promise<Response> {
  if (Number(context.req.header("content-length") ?? 0) > artifacts.limitBytes) {
    return problem({
      code: "body-too-large",
      message: `an artifact has at most ${artifacts.limitBytes} bytes; limits.artifact of the config says so`,
    });
  }
  const declared = declaredDigest((name) => context.req.header(name));
  if (!declared.ok) return problem(declared.error);
  const body = (context.req.raw.body ?? new ReadableStream()) as ReadableStream<Uint8Array>;
  const stored = await artifacts.receive(body, declared.value);
  if (!stored.ok) return problem({ code: storageProblemCode(stored.error), message: stored.error.message });
  const { digest, sizeBytes } = stored.value;
  const events = artifactEvents(ledger.state, stored.value);
  const committed = orchestrator.commit(events, context.var.identity.by);
  if (!committed.ok) return problem(notCommitted(committed.error));
  return context.json({ digest, size: sizeBytes }, events.length > 0 ? 201 : 200);
}

const storageProblems: Readonly<Record<string, ProblemCode>> = {
  "artifact-too-large": "body-too-large",
  "artifact-digest-mismatch": "digest-mismatch",
  "artifact-not-stored": "storage-unavailable",
  "artifact-not-fetched": "artifact-not-fetched",
};

/** What an artifact that could not be taken in is answered with. */
export function storageProblemCode({ code }: Failure): ProblemCode {
  return storageProblems[code] ?? "invalid-request";
}

async function fetchArtifact(desk: Desk, context: Context<HttpEnv>): Promise<Response> {
  const digest = context.req.param("digest") as Digest;
  const isKnown = desk.ledger.state.artifacts.has(digest);
  const sizeBytes = isKnown ? await desk.artifacts.sizeOf(digest) : null;
  if (sizeBytes === null) {
    if (isKnown) desk.log.error({ event: "artifact-file-missing", digest }, "an artifact's file is gone");
    const why = isKnown ? "its file is gone; upload it again" : "upload it with POST /v1/artifacts";
    return problem({ code: "unknown-artifact", message: `no artifact ${digest} is here: ${why}` });
  }
  const headers = {
    "accept-ranges": "bytes",
    etag: `"${digest}"`,
    "content-type": "application/octet-stream",
  };
  const condition = context.req.header("if-range");
  const asked =
    condition === undefined || condition === headers.etag ? context.req.header("range") : undefined;
  const verdict = rangeOf(asked, sizeBytes);
  if (verdict.kind === "unsatisfiable") {
    const message = `the artifact has ${sizeBytes} bytes`;
    return problem({ code: "range-not-satisfiable", message }, { "content-range": `bytes */${sizeBytes}` });
  }
  const range = verdict.kind === "part" ? verdict.range : { first: 0, last: sizeBytes - 1 };
  const part = { "content-range": `bytes ${range.first}-${range.last}/${sizeBytes}` };
  const length = { "content-length": String(range.last - range.first + 1) };
  return sendBytes(desk, context, digest, range, {
    status: verdict.kind === "part" ? 206 : 200,
    headers: { ...headers, ...length, ...(verdict.kind === "part" ? part : {}) },
  });
}

/** A few at a time; a place is free again as soon as its reader has everything or has gone. */
async function sendBytes(
  { artifacts, downloads }: Desk,
  context: Context<HttpEnv>,
  digest: Digest,
  range: ByteRange,
  head: ResponseInit,
): Promise<Response> {
  // Nobody would ever read the body of an answer to HEAD.
  if (context.req.method === "HEAD") return new Response(null, head);
  const giveBack = await downloads.take(context.req.raw.signal);
  if (giveBack === null) {
    const message = "as many artifacts as can be sent at once are being sent; come again";
    return problem({ code: "busy", message }, { "retry-after": String(downloads.retryAfterS()) });
  }
  const file = artifacts.read(digest, range);
  file.once("close", giveBack);
  return new Response(Readable.toWeb(file), head);
}
