import type { HostPhase } from "@siding/shared/phases";
import type { StepFailure } from "@siding/shared/report";
import type { Target } from "@siding/shared/target";
import type { Action } from "./action.ts";
import { probeOf } from "./position.ts";
import type { HostSurvey, Survey } from "./survey.ts";

/**
 * Steps that failed since the last decision: each is put on record before anything else, with its phase and cause. Who is
 * blind counts nothing, also what he hears meanwhile.
 */
export function troublesOf(survey: Survey): readonly Action[] {
  if (survey.snapshot.blind) return [];
  return survey.awake.flatMap((host): Action[] => {
    const { position } = host;
    if (position.kind === "broken") return [failed(survey, host, position.phase, position.failure)];
    const unseen = unreachableFromEdge(survey, host);
    return unseen ? [failed(survey, host, "verifying", unseen)] : [];
  });
}

function failed(survey: Survey, host: HostSurvey, phase: HostPhase, failure: StepFailure): Action {
  const { hostId } = host.planned;
  const back = backOf(survey, host, phase);
  const named = { ...failure, message: `${phase} failed: ${failure.message}` };
  return {
    type: "host-failed",
    rolloutId: survey.rollout.id,
    hostId,
    phase,
    failure: named,
    counts: true,
    back,
  };
}

/**
 * A failed host goes back to where it came from; one whose drain failed was not stopped and rejoins as what it runs.
 * One that fails on its way back is left: a third try is a person's to make.
 */
function backOf({ rollout }: Survey, host: HostSurvey, phase: HostPhase): Target | null {
  const { course, planned } = host;
  if (course.kind !== "going" || course.failure !== null) return null;
  if (phase === "draining") {
    const running = host.host?.instance.running;
    return [planned.from, rollout.to].find((target) => target?.id === running) ?? planned.from;
  }
  return rollout.plan.kind === "forward" ? planned.from : null;
}

/**
 * Good for its agent, bad from an edge: a firewall, or a service that listens on 127.0.0.1 only. Only an edge that says
 * so fails a host; one that says nothing is unknown.
 */
function unreachableFromEdge(
  { rollout, nowMs }: Survey,
  { position, host, goal }: HostSurvey,
): StepFailure | null {
  if (position.kind !== "probing" || !host || !goal) return null;
  const sinceMs = Math.max(position.command.settledAtMs ?? 0, rollout.resumedAtMs);
  if (nowMs < sinceMs + goal.spec.health.graceMs) return null;
  for (const edge of position.edges) {
    const probe = probeOf(edge, host, position.command);
    if (edge.liveness.kind !== "alive" || probe?.state !== "bad") continue;
    const port = goal.spec.ports[host.instance.slot] ?? "?";
    const message = `healthy for its own agent, but not from edge ${edge.hostId}, which gets from ${host.address ?? "?"}:${port}: ${probe.detail ?? "no answer"}. Does it listen on ADDRESS, is a firewall between?`;
    return { code: "edge-cannot-reach", message };
  }
  return null;
}
