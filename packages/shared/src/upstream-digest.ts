import type { UpstreamContent } from "./command.ts";
import { canonicalJson, textDigest } from "./digest.ts";
import type { Digest } from "./ids.ts";

/** Contents are never changed in place. A list names a whole fleet, and most revisions only watch somebody else. */
const digests = new WeakMap<UpstreamContent, Digest>();
const listTexts = new WeakMap<object, string>();

/** The digest of what an edge is to serve, worked out once. */
export function upstreamDigest(content: UpstreamContent): Digest {
  const known = digests.get(content);
  if (known !== undefined) return known;
  const { members } = content;
  if (!listTexts.has(members)) listTexts.set(members, canonicalJson(members));
  const digest = textDigest(canonicalJson(content, listTexts));
  digests.set(content, digest);
  return digest;
}
