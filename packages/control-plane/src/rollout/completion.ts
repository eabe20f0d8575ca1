import type { Action } from "./action.ts";
import { entryOf } from "./by-host.ts";
import type { Cause, RolloutRecord } from "./record.ts";
import { isHookRunning } from "./rollout-hook.ts";
import type { Survey } from "./survey.ts";

/** Ends the rollout where nothing is left to do. A paused one rests and ends only by a person's word. */
export function completionOf(survey: Survey): readonly Action[] {
  const { rollout } = survey;
  const { intent, plan } = rollout;
  if (survey.going.length > 0) return [];
  if (isHookRunning(rollout)) return [];
  switch (intent) {
    case "forward":
    case "pause":
      return plan.kind === "forward" && survey.groups.planned.length === 0 ? [forwardEnd(survey)] : [];
    case "abort":
      return plan.kind === "return" ? [finish(rollout, "aborted", rollout.cause)] : [];
    case "stop":
      return plan.kind === "return" ? [finish(rollout, "failed", rollout.cause)] : [];
    case "rollback":
      return plan.kind === "rollback" && survey.groups.planned.length === 0 ? [rollbackEnd(survey)] : [];
  }
}

type EndStatus = "succeeded" | "rolled-back" | "failed" | "aborted";

function finish(rollout: RolloutRecord, status: EndStatus, cause: Cause | null): Action {
  return { type: "rollout-finished", rolloutId: rollout.id, status, cause };
}

/** A rollout that moved nobody has failed, whatever its budget allowed. */
function forwardEnd(survey: Survey): Action {
  const { rollout } = survey;
  const moved = rollout.plan.hosts.filter(({ hostId }) => {
    const course = entryOf(rollout.hosts, hostId)?.course;
    return course?.kind === "settled" && course.on === rollout.to.id;
  });
  if (moved.length > 0 || rollout.failed.length === 0) return finish(rollout, "succeeded", rollout.cause);
  const message = `every host failed: ${rollout.failed.join(", ")}`;
  return finish(rollout, "failed", { code: "too-many-failures", message });
}

/** After a rollback every reachable changed instance is where it came from; else it failed, and names the rest. */
export function rollbackEnd({ rollout, snapshot }: Survey): Action {
  const { members } = snapshot.upstream.content;
  const lost = rollout.hosts.flatMap(({ hostId, course, batch, from }) => {
    const planned = entryOf(rollout.plan.hosts, hostId);
    if (planned && course.kind === "settled") return course.on === planned.from?.id ? [] : [hostId];
    // On the rollout's target; or, by a restored ledger, on a later one, or out.
    const stays = batch !== null && entryOf(members, hostId)?.targetId !== from?.id;
    const isOut = course.kind === "settled" && course.on === null && course.failure !== null;
    return stays || isOut ? [hostId] : [];
  });
  if (lost.length === 0) return finish(rollout, "rolled-back", rollout.cause);
  const why = rollout.cause ? `${rollout.cause.message}. ` : "";
  const message = `${why}Not back on what they came from: ${lost.join(", ")}; the next step there is by hand`;
  return finish(rollout, "failed", { code: "rollback-incomplete", message });
}
