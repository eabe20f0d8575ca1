import { z } from "zod";
import { type Failed, failed } from "./failure.ts";
import type { Kind } from "./kinds.ts";
import type { Answer } from "./response.ts";

/** A request that its client is content with, and the release that answered it. */
export type Served = { readonly ok: true; readonly version: string };

const Body = z.object({ url: z.string(), version: z.string(), bytes: z.int().optional() });

/**
 * Whether an answer is the right one: 2xx, of a release that may serve, to this very request, after all of its body.
 *
 * @param versions releases that may answer
 */
export function judge(
  kind: Kind,
  ticket: number,
  answer: Answer,
  versions: readonly string[],
): Served | Failed {
  const version = answer.headers.get("x-version");
  if (answer.status < 200 || answer.status > 299) {
    return failed("status", `${answer.status} ${answer.body.slice(0, 100).replaceAll(/\s+/g, " ")}`);
  }
  if (version === undefined || !versions.includes(version)) {
    return failed("wrong-version", `x-version is ${version ?? "missing"}`);
  }
  const body = bodyOf(answer);
  if (body === undefined) return failed("wrong-body", `not ours: ${answer.body.slice(0, 100)}`);
  const expected = {
    url: kind.path(ticket),
    version,
    bytes: kind.bodyBytes > 0 ? kind.bodyBytes : undefined,
  };
  const same =
    body.url === expected.url && body.version === expected.version && body.bytes === expected.bytes;
  if (same) return { ok: true, version };
  return failed("wrong-body", `${answer.body.slice(0, 200)} instead of ${JSON.stringify(expected)}`);
}

function bodyOf(answer: Answer): z.infer<typeof Body> | undefined {
  try {
    return Body.parse(JSON.parse(answer.body));
  } catch {
    return undefined;
  }
}
