import { Digest } from "@siding/shared/ids";
import { err, ok, type Result } from "@siding/shared/result";
import type { Refusal } from "../orchestrator/refusal.ts";

/** What is sent here has no content coding, so that both headers of RFC 9530 speak of the same bytes. */
const digestHeaders = ["Content-Digest", "Repr-Digest"] as const;

/** `sha-256=:BASE64:` among the members of a structured dictionary (RFC 8941). */
const sha256Member = /(?:^|[,\s])sha-256\s*=\s*:([^:]*):/i;
const sha256Base64 = /^[A-Za-z0-9+/]{43}=$/;

/**
 * The digest that the sender says its body has; null where it says none, or only by algorithms that are not checked
 * here. Errors: `invalid-request`, naming the header.
 */
export function declaredDigest(
  headerOf: (name: string) => string | undefined,
): Result<Digest | null, Refusal> {
  const declared = new Set<Digest>();
  for (const name of digestHeaders) {
    const base64 = sha256Member.exec(headerOf(name) ?? "")?.[1];
    if (base64 === undefined) continue;
    if (!sha256Base64.test(base64)) return refused(name, "sha-256 is the 32 bytes of the digest in base64");
    declared.add(Digest.parse(`sha256:${Buffer.from(base64, "base64").toString("hex")}`));
  }
  const [first = null, other] = declared;
  return other === undefined ? ok(first) : refused(digestHeaders.join(", "), "they contradict each other");
}

function refused(name: string, why: string): Result<never, Refusal> {
  const message = `${name}: ${why}`;
  return err({ code: "invalid-request", message, errors: [{ path: name, message }] });
}
