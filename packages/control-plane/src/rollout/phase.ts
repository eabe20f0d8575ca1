import type { HostPhase } from "@siding/shared/phases";
import type { Action } from "./action.ts";
import { isActive } from "./snapshot.ts";
import type { HostSurvey, Survey } from "./survey.ts";

/** The phase that people see, from where the host stands. */
function phaseOf({ rollout }: Survey, { course, position, host, planned }: HostSurvey): HostPhase {
  switch (position.kind) {
    case "idle":
      if (host?.instance.staged.includes(rollout.to.id)) return "staged";
      return host?.instance.command?.rolloutId === rollout.id && isActive(host.instance.command)
        ? "staging"
        : "pending";
    case "listed":
    case "leaving":
      return "leaving";
    case "out":
    case "draining":
      return "draining";
    case "drained":
    case "updating":
      return "updating";
    case "started":
    case "verifying":
    case "probing":
      return "verifying";
    case "ready":
    case "joining":
      return "joining";
    case "serving":
      return planned.goal?.id === rollout.to.id && !isReturning(course) ? "serving" : "reverted";
    case "broken":
    case "stranded":
      return "failed";
    case "settled":
      return settledPhase(rollout.to.id, course);
  }
}

function isReturning(course: HostSurvey["course"]): boolean {
  return course.kind === "going" && course.failure !== null;
}

function settledPhase(toId: string, course: HostSurvey["course"]): HostPhase {
  if (course.kind !== "settled") return "failed";
  if (course.on === null) return course.failure ? "failed" : "draining";
  if (course.on === toId) return "serving";
  return course.failure ? "failed" : "reverted";
}

/** Phases are put on record when they change: history for people, timings for the benchmark. */
export function phaseChanges(survey: Survey): readonly Action[] {
  return survey.hosts.flatMap((host): Action[] => {
    const { hostId } = host.planned;
    const phase = phaseOf(survey, host);
    if (survey.rollout.hosts[hostId]?.phase === phase) return [];
    return [{ type: "phase-changed", rolloutId: survey.rollout.id, hostId, phase }];
  });
}
