import { createHash } from "node:crypto";
import { z } from "@hono/zod-openapi";
import { type PageFile, pageFiles } from "@siding/dashboard/files";
import type { Context } from "hono";
import { hasTag } from "./conditional.ts";
import type { Endpoint } from "./endpoint.ts";
import { problem } from "./problem.ts";

/**
 * Everything of the page comes from here and speaks only with us; no markup is ever made from text (Trusted Types), and
 * nobody shows it in a frame.
 */
const policy = [
  "default-src 'none'",
  ...["script", "style", "img", "connect"].map((kind) => `${kind}-src 'self'`),
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

interface ServedFile extends PageFile {
  readonly etag: string;
}

/** The live page of the fleet: static files, to which only a token gives something to show. */
export function dashboardEndpoints(): readonly Endpoint[] {
  const files = new Map([...pageFiles()].map(([name, file]) => [name, { ...file, etag: etagOf(file) }]));
  const page = { description: "A page", content: { "text/html": { schema: z.string() } } };
  return [
    {
      method: "get",
      path: "/",
      summary: "The fleet, live, for people",
      access: "open",
      responses: { 200: page },
      handle: (context) => serve(context, files.get("index.html")),
    },
    {
      method: "get",
      path: "/page/{file}",
      summary: "What the page of the fleet consists of",
      access: "open",
      request: { params: z.object({ file: z.string() }) },
      responses: { 200: { description: "A file" }, 304: { description: "As it was" } },
      handle: (context) => serve(context, files.get(context.req.param("file") ?? "")),
    },
  ];
}

function etagOf({ bytes }: PageFile): string {
  return `"${createHash("sha1").update(bytes).digest("base64url")}"`;
}

/** Asked again each time, answered with the bytes only after an upgrade: never an old script with a new API. */
function serve(context: Context, file: ServedFile | undefined): Response {
  if (!file) return problem({ code: "not-found", message: `the page has no file ${context.req.path}` });
  const headers = {
    etag: file.etag,
    "cache-control": "no-cache",
    "content-type": file.mediaType,
    "content-security-policy": policy,
    "referrer-policy": "no-referrer",
  };
  if (hasTag(context.req.header("if-none-match"), file.etag)) {
    return new Response(null, { status: 304, headers });
  }
  return new Response(file.bytes, { headers });
}
