import { createHash } from "node:crypto";
import type { Context } from "hono";

/** JSON with an ETag over its bytes; 304 where the client has just these. */
export function conditionalJson(context: Context, text: string): Response {
  const etag = `"${createHash("sha1").update(text).digest("base64url")}"`;
  const headers = { etag, "cache-control": "private, no-cache" };
  if (hasTag(context.req.header("if-none-match"), etag)) return new Response(null, { status: 304, headers });
  return new Response(text, { headers: { ...headers, "content-type": "application/json" } });
}

/** Compared weakly, as RFC 9110 wants it for GET: a proxy that compresses weakens our tag. */
export function hasTag(given: string | undefined, etag: string): boolean {
  if (given === undefined) return false;
  return given.split(",").some((tag) => tag.trim() === "*" || tag.trim().replace(/^W\//, "") === etag);
}
