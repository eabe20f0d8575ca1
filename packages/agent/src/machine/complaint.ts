import type { ApplyFailure } from "./event.ts";
import type { Upstream } from "./state.ts";

/** Trouble with a reload is mostly over at once; a broken edge is not tried more often than every five seconds. */
const firstBackoffMs = 100;
const longestBackoffMs = 5_000;
const maxMessageLength = 4_000;

export function backoffMs(tries: number): number {
  return Math.min(longestBackoffMs, firstBackoffMs * 2 ** Math.max(0, tries - 1));
}

/** Why a revision is not served, or not prepared, as a report says it. */
export function complaintOf(
  kind: ApplyFailure["kind"],
  revision: number,
  message: string,
): Upstream["complaint"] {
  return { kind, said: { revision, message: message.slice(0, maxMessageLength) } };
}
