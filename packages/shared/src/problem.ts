import * as z from "zod";

/** Codes of refused requests. The text beside each says what it is for; the map to HTTP is the control plane's. */
export const ProblemCode = z.enum([
  "invalid-request", // a field is missing, unknown or mistyped; `errors` names it
  "malformed-json",
  "malformed-yaml",
  "body-too-large",
  "unsupported-media-type",
  "unauthorized",
  "forbidden",
  "not-found",
  "method-not-allowed",
  "unknown-service",
  "unknown-version",
  "unknown-host",
  "unknown-edge",
  "unknown-rollout",
  "unknown-artifact",
  "artifact-not-fetched", // the control plane could not get what the release's url names
  "release-conflict", // the version exists with other content
  "rollout-in-progress",
  "rollout-finished",
  "no-gate", // promote where nothing waits
  "nothing-to-do", // every matched host is on the target already
  "no-hosts",
  "no-edges",
  "agent-too-old", // the target has parts that an agent does not know
  "hook-impossible", // the host that is to run hooks.beforeRollout can't
  "below-minimum", // the rollout would breach the service's minimum
  "port-conflict",
  "upstream-conflict",
  "digest-mismatch",
  "idempotency-conflict", // the key was used for another request
  "not-available-yet",
  "range-not-satisfiable",
  "rule-broken",
  "storage-unavailable", // nothing can be made durable at present; nothing was done
  "not-ready",
  "busy", // as much as can be done at once is being done; `Retry-After` says when to come again
  "internal",
]);
export type ProblemCode = z.infer<typeof ProblemCode>;

/** An error answer (RFC 9457). `errors` names each field with its path, as in `strategy.batchSize`. */
export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: ProblemCode,
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});
export type Problem = z.infer<typeof Problem>;
