import type { Problem, ProblemCode } from "@siding/shared/problem";
import type { Failure } from "@siding/shared/result";
import type { Refusal } from "../orchestrator/refusal.ts";

/** The one table that maps errors to HTTP. */
const table: Readonly<Record<ProblemCode, readonly [status: number, title: string]>> = {
  "invalid-request": [422, "The request does not say what it should"],
  "malformed-json": [400, "The body is not JSON"],
  "malformed-yaml": [400, "The body is not YAML"],
  "body-too-large": [413, "The body is too large"],
  "unsupported-media-type": [415, "The body is of a type that is not read here"],
  unauthorized: [401, "Who are you?"],
  forbidden: [403, "Not with this token"],
  "not-found": [404, "There is nothing at this address"],
  "method-not-allowed": [405, "This address does not know the method"],
  "unknown-service": [404, "Unknown service"],
  "unknown-version": [404, "Unknown version"],
  "unknown-host": [404, "Unknown host"],
  "unknown-edge": [404, "Unknown edge"],
  "unknown-rollout": [404, "Unknown rollout"],
  "unknown-artifact": [404, "Unknown artifact"],
  "artifact-not-fetched": [502, "The artifact could not be fetched from its address"],
  "release-conflict": [409, "The version exists with other content"],
  "rollout-in-progress": [409, "Another rollout is not finished"],
  "rollout-finished": [409, "The rollout can't be changed any more"],
  "no-gate": [409, "No gate waits"],
  "nothing-to-do": [409, "Everything is as wanted already"],
  "no-hosts": [409, "No host to work on"],
  "no-edges": [409, "No edge to work with"],
  "hook-impossible": [422, "The host that is to run the hook can't"],
  "agent-too-old": [422, "An agent does not know a part of the spec"],
  "below-minimum": [422, "The rollout would breach the service's minimum"],
  "port-conflict": [409, "Another service has this port"],
  "upstream-conflict": [409, "Another service has this upstream"],
  "digest-mismatch": [422, "The content is not what the digest says"],
  "idempotency-conflict": [409, "The idempotency key was used for another request"],
  "not-available-yet": [422, "Not available in this release"],
  "range-not-satisfiable": [416, "The range lies outside the content"],
  "rule-broken": [409, "A rule would be broken"],
  "storage-unavailable": [503, "Nothing can be stored at present"],
  "not-ready": [503, "Not ready"],
  busy: [503, "As much as can be done at once is being done"],
  internal: [500, "A mistake in Siding"],
};

export const problemCodes = Object.keys(table) as readonly ProblemCode[];

export function statusOf(code: ProblemCode): number {
  return table[code][0];
}

export function titleOf(code: ProblemCode): string {
  return table[code][1];
}

export const problemMediaType = "application/problem+json";

/** An error answer (RFC 9457). `type` leads to the code's line on our own page of documentation. */
export function problemOf({ code, message, errors }: Refusal): Problem {
  return {
    type: `/docs#problem-${code}`,
    title: titleOf(code),
    status: statusOf(code),
    detail: message,
    code,
    ...(errors && errors.length > 0
      ? { errors: errors.map(({ path, message }) => ({ path, message })) }
      : {}),
  };
}

export function problem(refusal: Refusal, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(problemOf(refusal)), {
    status: statusOf(refusal.code),
    headers: { "content-type": problemMediaType, ...headers },
  });
}

/** What could not be committed was not done; the client may try again. */
export function notCommitted(failure: Failure): Refusal {
  return { code: "storage-unavailable", message: `${failure.message}; nothing was done, try again` };
}
