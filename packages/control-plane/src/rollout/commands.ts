import type { InstanceCommandBody } from "@siding/shared/command";
import { defaults } from "@siding/shared/defaults";
import { hookBudgetMs } from "@siding/shared/hooks";
import type { Target } from "@siding/shared/target";
import type { ActionOf } from "./action.ts";
import { mayStart } from "./membership.ts";
import { isRestarting } from "./position.ts";
import { countedEdges, isActive, isYetToAnswer } from "./snapshot.ts";
import type { HostSurvey, Survey } from "./survey.ts";

/**
 * The next command of each host that is on its way: one step after the other, each once. Nobody is stopped before
 * everybody whom it concerns has answered us: what we believe of them may come from a backup.
 */
export function nextCommands(survey: Survey): readonly ActionOf<"command-issued">[] {
  if (survey.snapshot.blind) return [];
  const edgesAnswer = countedEdges(survey.snapshot).every((edge) => !isYetToAnswer(edge));
  return survey.awake.flatMap((host) => {
    if (!host.host || host.host.conflict || isYetToAnswer(host.host)) return [];
    const body = bodyFor(survey, host);
    return body && (edgesAnswer || body.kind === "stage") ? [commandOf(survey, host, body)] : [];
  });
}

/** What a host is to be told where it stands; null where it has been told, waits for others, or is through. */
export function bodyFor(survey: Survey, host: HostSurvey): InstanceCommandBody | null {
  switch (host.position.kind) {
    case "idle":
      return stageBody(survey, host);
    case "out":
      return drainBody(survey, host);
    case "drained":
      return host.goal && updateBody(survey, host, host.goal);
    case "started":
      return host.goal && verifyBody(survey, host.goal, host.position.attempt);
    case "serving":
      return host.goal && { kind: "rejoin", target: host.goal };
    case "listed":
    case "leaving":
    case "draining":
    case "updating":
    case "verifying":
    case "probing":
    case "ready":
    case "joining":
    case "broken":
    case "stranded":
    case "settled":
      return null;
  }
}

/** Staging comes first, on every host, before any traffic changes: wherever a batch may still start. */
function stageBody(survey: Survey, { host, goal, planned }: HostSurvey): InstanceCommandBody | null {
  const { rollout } = survey;
  const wanted = rollout.plan.kind === "forward" && mayStart(survey);
  if (!wanted || !host || goal === null || planned.restart || host.instance.staged.includes(rollout.to.id))
    return null;
  const { command } = host.instance;
  const asked = command?.rolloutId === rollout.id && command.kind === "stage" && isActive(command);
  return asked ? null : { kind: "stage", target: rollout.to };
}

/** Drains what runs: its address and port are those of the target it was started with. */
function drainBody({ rollout, snapshot }: Survey, { host, planned, goal }: HostSurvey): InstanceCommandBody {
  const running = [planned.from, goal, host?.instance.target, rollout.to].find(
    (target) => target?.id === host?.instance.running,
  );
  // What runs may be what an earlier rollout left behind: its agent knows the port, only the deadline is taken from here.
  const target = running ?? planned.from ?? goal ?? rollout.to;
  const edges = [...new Set(countedEdges(snapshot).flatMap((edge) => edge.addresses))].sort();
  return { kind: "drain", target, edges };
}

/** The edges are told of the same attempt in the same decision, so that both halves begin at once. */
function verifyBody({ rollout }: Survey, target: Target, attempt: number): InstanceCommandBody {
  return { kind: "verify", target, holdMs: rollout.verifyHoldMs, attempt };
}

function updateBody({ rollout }: Survey, { planned, course }: HostSurvey, goal: Target): InstanceCommandBody {
  if (isRestarting(planned, course)) return { kind: "restart", target: goal, shot: rollout.id };
  return { kind: planned.from?.id === goal.id ? "revert" : "update", target: goal };
}

function commandOf(
  { rollout, snapshot }: Survey,
  { planned }: HostSurvey,
  body: InstanceCommandBody,
): ActionOf<"command-issued"> {
  return {
    type: "command-issued",
    rolloutId: rollout.id,
    hostId: planned.hostId,
    service: snapshot.service,
    slot: planned.slot,
    body,
    deadlineMs: deadlineOf(body),
  };
}

/** How long the agent may take before it reports its own failure: the step itself, and the hooks around it. */
function deadlineOf(body: InstanceCommandBody): number {
  const { health, drain, run, hooks } = body.target.spec;
  switch (body.kind) {
    case "stage":
      return defaults.stageDeadlineMs;
    case "drain":
      return hookBudgetMs(hooks.beforeDrain) + drain.deadlineMs;
    case "update":
    case "revert": {
      const around = hookBudgetMs(hooks.beforeUpdate) + hookBudgetMs(hooks.afterUpdate);
      return around + defaults.updateDeadlineMs + run.stopGraceMs;
    }
    case "restart":
      return defaults.updateDeadlineMs + run.stopGraceMs;
    case "verify": {
      const answers = health.rise * (health.intervalMs + health.timeoutMs);
      return health.graceMs + answers + body.holdMs + hookBudgetMs(hooks.beforeRejoin);
    }
    case "hook":
      return hookBudgetMs(hooks[body.hook]);
    case "rejoin":
      return defaults.updateDeadlineMs;
  }
}
