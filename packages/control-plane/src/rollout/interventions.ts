import type { WaitingReason } from "@siding/shared/phases";
import { formatMs } from "@siding/shared/units";
import type { Action } from "./action.ts";
import { entryOf } from "./by-host.ts";
import { rollbackEnd } from "./completion.ts";
import { conflictReason } from "./conflict.ts";
import type { ClosedGate } from "./gates.ts";
import { edgeRetryMs, progressDeadlineMs } from "./limits.ts";
import { isOvertaken, planAnew, returnPlan, rollbackPlan } from "./planning.ts";
import { type Cause, type Intent, isBudgetSpent } from "./record.ts";
import { countedEdges, type EdgeView } from "./snapshot.ts";
import { type HostSurvey, isOverdue, type Survey } from "./survey.ts";
import { swapOverdue, swappedBack } from "./swap.ts";

/** What changes the course of the whole rollout. At most one at a time; the next decision sees its effect. */
export function interventionsOf(survey: Survey): readonly Action[] {
  return (
    hookStops(survey) ??
    budgetSpent(survey) ??
    swappedBack(survey) ??
    edgeRefused(survey) ??
    swapOverdue(survey) ??
    overdue(survey) ??
    replanned(survey) ??
    []
  );
}

/** What the fleet does of itself never rests: nobody would come to resume it. It ends, and is begun anew later. */
function setIntent({ rollout }: Survey, wanted: Intent, cause: Cause): readonly Action[] {
  const intent = wanted === "pause" && rollout.origin === "reconciler" ? "abort" : wanted;
  return [{ type: "intent-set", rolloutId: rollout.id, intent, cause }];
}

/**
 * A hook that failed before anything changed ends the rollout there. Where nobody knows how it ended, a person decides:
 * it is not run again.
 */
function hookStops(survey: Survey): readonly Action[] | null {
  const { intent, beforeRollout: hook } = survey.rollout;
  if (hook?.kind === "failed" && (intent === "forward" || intent === "pause")) {
    const message = `host ${hook.hostId}, before anything was changed: ${hook.failure.message}`;
    return setIntent(survey, "stop", { code: hook.failure.code, message });
  }
  if (hook?.kind !== "unknown" || hook.accepted || intent !== "forward") return null;
  const message = `nobody knows whether hook beforeRollout was done on ${hook.hostId} (${hook.failure.message}). Look there: resume goes on as if it was done, it is not run again; abort ends the rollout, nothing was changed`;
  return setIntent(survey, "pause", { code: "hook-unknown", message });
}

/** The budget counts over the whole rollout; what a person accepted by resuming does not count twice. */
function budgetSpent(survey: Survey): readonly Action[] | null {
  const { rollout } = survey;
  const { failed, maxFailures, onFailure } = rollout;
  const onTheWay = rollout.intent === "forward" || (rollout.intent === "pause" && onFailure !== "pause");
  if (!onTheWay || !isBudgetSpent(rollout)) return null;
  const last = failed.at(-1);
  const course = last && entryOf(rollout.hosts, last)?.course;
  const why = course && course.kind !== "planned" && course.failure ? `, ${course.failure.message}` : "";
  const others = failed.length > 1 ? ` Failed before: ${failed.slice(0, -1).join(", ")}.` : "";
  const message = `host ${last ?? "?"}${why}. ${failed.length} failed, ${maxFailures} allowed.${others}`;
  return setIntent(survey, onFailure, { code: "too-many-failures", message });
}

/**
 * nginx does not take the newest revision: the rollout fails with its words; what it served stays. One that it refused
 * before this rollout began, or was resumed, is said to it once more: what was wrong there may have been mended.
 */
function edgeRefused(survey: Survey): readonly Action[] | null {
  const { rollout, snapshot, nowMs } = survey;
  const edge = refusingEdge(survey);
  if (!edge?.refused) return null;
  const isOld = snapshot.upstream.revisedAtMs < rollout.resumedAtMs;
  if (rollout.intent === "forward" && !isOld) {
    const message = `edge ${edge.hostId} refused upstream ${snapshot.upstream.name} revision ${edge.refused.revision} and keeps serving ${edge.confirmed}: ${edge.refused.message}`;
    return setIntent(survey, rollout.onFailure, { code: "edge-refused", message });
  }
  if (!isOld && nowMs < snapshot.upstream.revisedAtMs + edgeRetryMs) return null;
  const { content, swap } = snapshot.upstream;
  const together = swap === null ? {} : { together: [...swap.edges] };
  return [{ type: "upstream-revised", service: snapshot.service, content, ...together }];
}

export function refusingEdge({ snapshot }: Survey): EdgeView | undefined {
  return countedEdges(snapshot).find((edge) => edge.refused?.revision === snapshot.upstream.revision);
}

/**
 * Silence is no failure: it pauses the rollout. On the way back nobody waits for ever: the host is named and left, as
 * it can't be commanded.
 */
function overdue(survey: Survey): readonly Action[] | null {
  const { rollout } = survey;
  const late = survey.awake.filter((host) => isOverdue(survey, host));
  const first = late[0];
  if (!first) return null;
  if (rollout.intent === "forward") return setIntent(survey, "pause", overdueCause(survey, first));
  if (rollout.plan.kind === "forward") return null;
  const lost = late.filter((host) => host.due?.by === "host" && host.course.kind === "going");
  return lost.length === 0 ? null : lost.map((host) => unreachable(survey, host));
}

function unreachable(survey: Survey, host: HostSurvey): Action {
  return {
    type: "host-failed",
    rolloutId: survey.rollout.id,
    hostId: host.planned.hostId,
    phase: "failed",
    failure: overdueCause(survey, host),
    counts: false,
    back: null,
  };
}

function overdueCause(
  { rollout, snapshot, nowMs }: Survey,
  { planned, host, due, position }: HostSurvey,
): Cause {
  const { hostId } = planned;
  if (
    due?.by === "edge" &&
    (position.kind === "leaving" || position.kind === "joining" || position.kind === "probing")
  ) {
    const edge = position.edges[0];
    const serving =
      edge?.trouble?.message ?? `it confirmed ${edge?.confirmed ?? 0} of ${snapshot.upstream.revision}`;
    const message = `edge ${edge?.hostId ?? "?"} has not confirmed upstream ${snapshot.upstream.name} for ${hostId} in time (${serving}); the rollout pauses, nothing is rolled back. Check siding-agent and nginx there, then resume`;
    return { code: "edge-silent", message };
  }
  const conflict = host && conflictReason(host, rollout.resumedAtMs);
  if (conflict) return { code: conflict.code, message: conflict.message };
  const step = position.kind === "idle" ? "staging" : position.kind;
  const refusal = host?.trouble ?? host?.instance.command?.failure?.message;
  const heard =
    host?.liveness.kind === "silent"
      ? `not heard from for ${formatMs(nowMs - host.liveness.heardMs)}${host.trouble ? ` but for this: ${host.trouble}` : ""}`
      : `no report of it came${refusal ? `, the agent says: ${refusal}` : ""}`;
  return {
    code: "host-silent",
    message: `host ${hostId} did not finish ${step} in time: ${heard}. Unknown is not down: nothing is counted as failed. Check siding-agent there, then resume, abort or roll back`,
  };
}

/** The plan follows the intent. */
function replanned(survey: Survey): readonly Action[] | null {
  const { rollout } = survey;
  const { intent, plan, id: rolloutId } = rollout;
  if ((intent === "rollback" && plan.kind !== "rollback") || isOvertaken(survey)) {
    return [{ type: "rollout-planned", rolloutId, ...withKeep(rollbackPlan(survey)) }];
  }
  if ((intent === "abort" || intent === "stop") && plan.kind !== "return") {
    return [{ type: "rollout-planned", rolloutId, ...withKeep(returnPlan(survey)) }];
  }
  if (intent === "pause" && plan.kind === "forward" && cannotFinish(survey)) {
    return [{ type: "rollout-planned", rolloutId, ...withKeep(returnPlan(survey)) }];
  }
  if (intent === "forward" && plan.kind !== "forward" && isGivenBack(survey)) {
    const again = planAnew(survey.snapshot, rollout, plan);
    return [{ type: "rollout-planned", rolloutId, plan: again, keep: [] }];
  }
  return intent === "forward" && plan.kind === "forward" ? replannedInTraffic(survey) : null;
}

/**
 * After a backup was restored, who was in hand by the ledger may serve again, and who had joined may be out: they take
 * their turn anew.
 */
function replannedInTraffic(survey: Survey): readonly Action[] | null {
  const { rollout, snapshot } = survey;
  const hand = survey.going;
  const out = hand.filter(({ position }) => position.kind !== "listed");
  if (out.length === hand.length && survey.groups.adrift.length === 0) return null;
  const again = planAnew(snapshot, rollout, rollout.plan);
  const keep = rollout.plan.whole ? [] : out.map(({ planned }) => planned.hostId);
  return [{ type: "rollout-planned", rolloutId: rollout.id, plan: again, keep }];
}

/** Who resumes goes on when the batch in hand is back: a new plan would forget those of it that have failed. */
function isGivenBack(survey: Survey): boolean {
  return survey.going.every(({ host }) => host?.liveness.kind === "silent");
}

function withKeep({ plan, keep }: ReturnType<typeof returnPlan>) {
  return { plan, keep: [...keep] };
}

/**
 * A pause finishes the batch in hand. An edge that refuses or is silent, or a half of in-place that hangs or has more
 * failures than are allowed, makes that impossible: then it is given back, so that nothing healthy rests out of traffic.
 */
function cannotFinish(survey: Survey): boolean {
  const { rollout } = survey;
  const hand = survey.going;
  if (refusingEdge(survey)) return hand.length > 0;
  // Who is in hand by the ledger, and in traffic: a backup was restored. There is no batch to finish.
  if (hand.some((host) => host.position.kind === "listed")) return true;
  if (hand.some((host) => host.position.kind === "leaving" && isOverdue(survey, host))) return true;
  const halted = rollout.cause !== null && rollout.cause.code !== "paused-by-person";
  return rollout.plan.whole && (halted || isBudgetSpent(rollout)) && hand.length > 0;
}

/**
 * A gate that stays closed past its deadline, or capacity that never comes, pauses the rollout. On the way back nobody
 * waits for ever either: what can't be taken out is named.
 */
export function deadlineOfGates(
  survey: Survey,
  { gates, waiting }: { readonly gates: readonly ClosedGate[]; readonly waiting: readonly WaitingReason[] },
): readonly Action[] {
  const { rollout, nowMs } = survey;
  if (survey.snapshot.blind) return [];
  const overdue = waiting.length > 0 && nowMs >= progressDueMs(survey);
  if (rollout.intent === "rollback") {
    const short = waiting.some(({ code }) => hopeless.has(code));
    return overdue && short && survey.going.length === 0 ? [rollbackEnd(survey)] : [];
  }
  if (rollout.intent !== "forward") return [];
  const closed = gates.find((gate) => gate.pause !== null && nowMs >= gate.pause.atMs);
  if (closed?.pause) return setIntent(survey, "pause", closed.pause.cause);
  if (!overdue) return [];
  const message = `no host has moved for ${formatMs(progressDeadlineMs)}: capacity did not come back`;
  return setIntent(survey, "pause", { code: "no-progress", message });
}

/** What keeps a way back from going on, and may never change by itself. */
const hopeless: ReadonlySet<WaitingReason["code"]> = new Set([
  "capacity",
  "max-unavailable",
  "identity-conflict",
]);

export function progressDueMs({ rollout, snapshot }: Survey): number {
  const { beforeRollout: hook } = rollout;
  const ended = hook && "atMs" in hook ? [hook.atMs] : [];
  const moves = [...rollout.hosts.map((host) => host.phaseSinceMs), ...ended];
  const { createdAtMs, resumedAtMs } = rollout;
  return Math.max(createdAtMs, resumedAtMs, snapshot.hearingSinceMs, ...moves) + progressDeadlineMs;
}
