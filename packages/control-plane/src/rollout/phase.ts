import type { HostPhase } from "@siding/shared/phases";
import type { PlannedHost } from "./plan.ts";
import type { Position } from "./position.ts";
import type { Course, RolloutRecord } from "./record.ts";
import { type HostView, isActive } from "./snapshot.ts";

/** Where a host stands, and what is known of it. */
interface Standing {
  readonly planned: PlannedHost;
  readonly course: Course;
  readonly host: HostView | undefined;
  readonly position: Position;
}

/** The phase that people see, from where the host stands. */
export function phaseOf(rollout: RolloutRecord, { course, position, host, planned }: Standing): HostPhase {
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

function isReturning(course: Course): boolean {
  return course.kind === "going" && course.failure !== null;
}

function settledPhase(toId: string, course: Course): HostPhase {
  if (course.kind !== "settled") return "failed";
  if (course.on === null) return course.failure ? "failed" : "draining";
  if (course.on === toId) return "serving";
  return course.failure ? "failed" : "reverted";
}
