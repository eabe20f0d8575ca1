import { z } from "zod";

/** Every way in which a request can fail its client. There is no "almost": each counts the same. */
export const FailureReason = z.enum([
  "no-connection", // refused, or not there in time
  "reset", // the connection broke with the request in flight
  "closed", // ended before the answer began
  "short-body", // ended within the answer
  "timeout", // no complete answer in time
  "status", // an answer, but no 2xx
  "malformed", // not HTTP, or framed in a way that a strict client can't verify
  "surplus", // bytes that belong to no request
  "wrong-version", // an answer of a release that should not serve
  "wrong-body", // an answer to something else, or to less than was sent
]);
export type FailureReason = z.infer<typeof FailureReason>;

/** Why one request failed. */
export type Failed = { readonly ok: false; readonly reason: FailureReason; readonly detail: string };

export function failed(reason: FailureReason, detail: string): Failed {
  return { ok: false, reason, detail };
}
