import * as z from "zod";

/** Where a host is within a rollout (design section 6). */
export const HostPhase = z.enum([
  "pending",
  "staging",
  "staged",
  "leaving",
  "draining",
  "updating",
  "verifying",
  "joining",
  "serving",
  "failed",
  "reverted",
]);
export type HostPhase = z.infer<typeof HostPhase>;

/** `waiting`: nothing is in flight and a reason stands. */
export const RolloutStatus = z.enum([
  "scheduled",
  "queued",
  "pending",
  "running",
  "waiting",
  "paused",
  "rolling-back",
  "succeeded",
  "rolled-back",
  "failed",
  "aborted",
]);
export type RolloutStatus = z.infer<typeof RolloutStatus>;

const finishedStatuses = [
  "succeeded",
  "rolled-back",
  "failed",
  "aborted",
] as const satisfies readonly RolloutStatus[];

export function isFinished(status: RolloutStatus): boolean {
  return (finishedStatuses as readonly RolloutStatus[]).includes(status);
}

/** Why a rollout does not go on at this instant. */
export const WaitingCode = z.enum([
  "queued",
  "staging",
  "edge-confirm",
  "draining",
  "drain-others",
  "updating",
  "verifying",
  "edge-verify",
  "bake",
  "capacity",
  "max-unavailable",
  "load-headroom",
  "host-silent",
  "hosts-unknown",
  "blind",
  "identity-conflict",
  "pausing",
  "paused",
  "edge-refused",
  "edge-silent",
  "hook",
]);
export type WaitingCode = z.infer<typeof WaitingCode>;

/** Seen by REST as `{ code, message, hostId?, since?, until? }`; inside, `…Ms` are on the ledger's clock. */
export const WaitingReason = z.object({
  code: WaitingCode,
  message: z.string(),
  hostId: z.string().optional(),
  /** What is waited for goes on since then: its text counts no time, so that it changes only with what it says. */
  sinceMs: z.number().optional(),
  untilMs: z.number().optional(),
  /** So many further hosts wait for the same: of many only the first are named. */
  more: z.int().optional(),
});
export type WaitingReason = z.infer<typeof WaitingReason>;
