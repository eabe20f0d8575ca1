import type { RolloutStatus, WaitingReason } from "@siding/shared/phases";
import type { Action } from "./action.ts";
import { isHookRunning } from "./rollout-hook.ts";
import type { Survey } from "./survey.ts";

/** `waiting`: nothing is in flight and a reason stands. `paused`: at rest until a person resumes. */
export function statusOf(survey: Survey, waiting: readonly WaitingReason[]): RolloutStatus {
  const { rollout } = survey;
  if (rollout.intent === "rollback") return "rolling-back";
  if (rollout.intent === "pause" && isAtRest(survey)) return "paused";
  const inFlight = waiting.some(({ code }) => inFlightCodes.has(code));
  return waiting.length > 0 && !inFlight ? "waiting" : "running";
}

/** Reasons that are work under way, as opposed to something that must happen first. */
const inFlightCodes: ReadonlySet<WaitingReason["code"]> = new Set([
  "staging",
  "edge-confirm",
  "draining",
  "drain-others",
  "updating",
  "verifying",
  "edge-verify",
  "hook",
  "pausing",
]);

/** Nothing in hand, or only hosts that can't be reached. */
export function isAtRest(survey: Survey): boolean {
  if (isHookRunning(survey.rollout)) return false;
  return survey.going.every((host) => host.due !== null && survey.nowMs >= host.due.atMs);
}

export function statusChange(
  { rollout }: Survey,
  status: RolloutStatus,
  waiting: readonly WaitingReason[],
): readonly Action[] {
  if (rollout.status === status && sameReasons(rollout.waiting, waiting)) return [];
  return [{ type: "status-changed", rolloutId: rollout.id, status, waiting: [...waiting] }];
}

/** No text of a reason counts time, so an unchanged state gives unchanged texts. */
function sameReasons(before: readonly WaitingReason[], after: readonly WaitingReason[]): boolean {
  return (
    before.length === after.length && before.every((reason, index) => isSameReason(reason, after[index]))
  );
}

function isSameReason(before: WaitingReason, after: WaitingReason | undefined): boolean {
  if (before === after) return true;
  return (
    before.code === after?.code &&
    before.hostId === after.hostId &&
    before.message === after.message &&
    (before.more ?? 0) === (after.more ?? 0)
  );
}
