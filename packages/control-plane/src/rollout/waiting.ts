import { defaults } from "@siding/shared/defaults";
import type { WaitingReason } from "@siding/shared/phases";
import { formatMs } from "@siding/shared/units";
import { bodyFor } from "./commands.ts";
import { holdingConflict } from "./conflict.ts";
import { blindGate, conflictGates } from "./gates.ts";
import { progressDueMs, refusingEdge } from "./interventions.ts";
import { edgeRetryMs } from "./limits.ts";
import type { Membership } from "./membership.ts";
import { probeOf } from "./position.ts";
import { hookDueMs, hookReasons } from "./rollout-hook.ts";
import { type CommandView, countedEdges, type EdgeView, isActive, isYetToAnswer } from "./snapshot.ts";
import { isAtRest } from "./status.ts";
import { type HostSurvey, isOverdue, type Survey } from "./survey.ts";
import { swapDueMs, swapReasons } from "./swap.ts";

/** Every reason why the rollout is not further than it is, for the person who asks "what is it doing?". */
export function waitingOf(survey: Survey, membership: readonly WaitingReason[]): readonly WaitingReason[] {
  const hosts = firstOfEach(survey.awake.flatMap((host) => hostReason(survey, host) ?? []));
  const blind = blindGate(survey.snapshot)?.reason;
  return [
    ...intentReasons(survey),
    ...(blind ? [blind] : conflictReasons(survey)),
    ...edgeReasons(survey),
    ...swapReasons(survey),
    ...hookReasons(survey),
    ...hosts,
    ...membership.filter(({ code }) => code !== "blind" && code !== "identity-conflict"),
  ];
}

/** A pause for it says the same already. */
function conflictReasons(survey: Survey): readonly WaitingReason[] {
  const { intent, cause } = survey.rollout;
  const said = intent === "pause" ? cause?.message : null;
  return conflictGates(survey).flatMap(({ reason }) => (reason.message === said ? [] : [reason]));
}

/** A whole fleet that stages is one reason, not thousands of lines in each event: of each kind these are named. */
const namedReasons = 20;

function firstOfEach(reasons: readonly WaitingReason[]): readonly WaitingReason[] {
  return [...Map.groupBy(reasons, ({ code }) => code).values()].flatMap((same) => {
    const more = same.length - namedReasons;
    const named = same.slice(0, namedReasons);
    return more <= 0 ? named : [...named.slice(0, -1), ...named.slice(-1).map((last) => ({ ...last, more }))];
  });
}

function intentReasons(survey: Survey): readonly WaitingReason[] {
  const { rollout } = survey;
  if (rollout.intent !== "pause") return [];
  const why = `${(rollout.cause?.message ?? "paused").replace(/\.$/, "")}.`;
  return isAtRest(survey)
    ? [{ code: "paused", message: `${why} Resume, abort or roll back` }]
    : [{ code: "pausing", message: `${why} The batch in hand is brought to its end first` }];
}

function edgeReasons(survey: Survey): readonly WaitingReason[] {
  const edge = refusingEdge(survey);
  if (!edge?.refused) return [];
  const untilMs = survey.snapshot.upstream.revisedAtMs + edgeRetryMs;
  const message = `edge ${edge.hostId} refuses the newest revision, asked again soon: ${edge.refused.message}`;
  return [{ code: "edge-refused", message, hostId: edge.hostId, untilMs }];
}

/** A host's survey is another object where anything in it is, so that its reason is put into words once. */
const reasons = new WeakMap<HostSurvey, WaitingReason | null>();

function hostReason(survey: Survey, host: HostSurvey): WaitingReason | null {
  // What is overdue is said in other words; so is everything while we are blind, or edges have yet to answer.
  const { snapshot } = survey;
  const isUsual = snapshot.blind === null && !countedEdges(snapshot).some(isYetToAnswer);
  if (isOverdue(survey, host) || !isUsual) return wordedReason(survey, host);
  const known = reasons.get(host);
  if (known !== undefined) return known;
  const reason = wordedReason(survey, host);
  reasons.set(host, reason);
  return reason;
}

function wordedReason(survey: Survey, host: HostSurvey): WaitingReason | null {
  const { hostId } = host.planned;
  // That is said of its id, once.
  if (holdingConflict(host.host, host.position)) return null;
  const reason = withheldReason(survey, host) ?? reasonAt(survey, host);
  if (!reason) return null;
  if (isOverdue(survey, host) && host.due?.by === "host") {
    return { code: "host-silent", message: `${hostId} owes its report of ${reason.code}`, hostId };
  }
  const trouble = host.host?.trouble;
  const message = trouble ? `${reason.message}, but its agent can do nothing: ${trouble}` : reason.message;
  // Deadlines begin anew when the fleet is heard again: until then nobody can say how long.
  const isCounted = host.due !== null && survey.snapshot.blind === null;
  return { ...(isCounted ? { untilMs: host.due.atMs } : {}), ...reason, message, hostId };
}

/** Its next step is known, and told to it only when everybody whom that concerns has answered our start. */
function withheldReason(survey: Survey, host: HostSurvey): WaitingReason | null {
  const asked = [...(host.host ? [host.host] : []), ...countedEdges(survey.snapshot)].filter(isYetToAnswer);
  const isWithheld = asked.length > 0 && host.position.kind !== "idle" && bodyFor(survey, host) !== null;
  if (!isWithheld) return null;
  const { hostId } = host.planned;
  const message = `${names(asked)} to answer the start of the control plane, before ${hostId} is told its next step`;
  return { code: "hosts-unknown", message };
}

function reasonAt(survey: Survey, host: HostSurvey): WaitingReason | null {
  const { position, planned } = host;
  const { hostId } = planned;
  switch (position.kind) {
    case "idle":
      return isStaging(survey, host)
        ? { code: "staging", message: `${hostId} fetches and unpacks the release` }
        : null;
    case "leaving":
      return edgeReason(position.edges, `to serve without ${hostId}`);
    case "joining":
      return edgeReason(position.edges, `to serve with ${hostId}`);
    case "draining":
      return hookReason(host, position.command) ?? drainReason(host);
    case "out":
      return drainReason(host);
    case "updating":
      return hookReason(host, position.command) ?? updateReason(host);
    case "drained":
      return updateReason(host);
    case "verifying":
      return hookReason(host, position.command) ?? verifyReason(host);
    case "started":
      return verifyReason(host);
    case "probing":
      return probeReason(host);
    case "listed":
    case "ready":
    case "serving":
    case "broken":
    case "stranded":
    case "settled":
      return null;
  }
}

function updateReason({ planned }: HostSurvey): WaitingReason {
  return { code: "updating", message: `${planned.hostId} stops, switches and starts` };
}

function verifyReason({ planned }: HostSurvey): WaitingReason {
  return { code: "verifying", message: `${planned.hostId} is asked for its health by its agent` };
}

function hookReason({ planned }: HostSurvey, { hook }: CommandView): WaitingReason | null {
  if (hook === null) return null;
  const { name, timeoutMs, sinceMs } = hook;
  const message = `hook ${name} is running on ${planned.hostId} (timeout ${formatMs(timeoutMs)})`;
  return { code: "hook", message, sinceMs, untilMs: sinceMs + timeoutMs };
}

function isStaging({ rollout }: Survey, { host }: HostSurvey): boolean {
  const command = host?.instance.command;
  return command?.rolloutId === rollout.id && command.kind === "stage" && isActive(command);
}

function drainReason({ host, planned }: HostSurvey): WaitingReason {
  const inFlight = host?.instance.command?.kind === "drain" ? host.instance.command.inFlight : null;
  const count = inFlight
    ? `${inFlight.count} connections of edges are open`
    : "requests in flight are counted";
  if (!inFlight || inFlight.others.length === 0) {
    return { code: "draining", message: `${planned.hostId} drains: ${count}` };
  }
  const others = inFlight.others.slice(0, 5).join(", ");
  return {
    code: "drain-others",
    message: `${planned.hostId} drains: ${count}; peers that are no edges: ${others}`,
  };
}

function probeReason({ position, host, planned }: HostSurvey): WaitingReason | null {
  if (position.kind !== "probing" || !host) return null;
  const said = position.edges
    .map((edge) => probeOf(edge, host, position.command)?.detail)
    .find((detail) => detail);
  const message = `${planned.hostId} is well for its agent; ${names(position.edges)} to see it${said ? ` (${said})` : ""}`;
  return { code: "edge-verify", message };
}

function names(edges: readonly { readonly hostId: string }[]): string {
  return `waits for ${edges.map((edge) => edge.hostId).join(", ")}`;
}

/** An edge in trouble goes on trying; what it says is the answer to "why does it take so long?". */
function edgeReason(edges: readonly EdgeView[], what: string): WaitingReason {
  const said = edges.flatMap((edge) => (edge.trouble ? `${edge.hostId}: ${edge.trouble.message}` : []));
  const trouble = said.length > 0 ? ` (${said.join("; ")})` : "";
  return { code: "edge-confirm", message: `${names(edges)} ${what}${trouble}` };
}

/** The next instant at which the answer may be another without any report. */
export function wakeOf(survey: Survey, membership: Membership): number | null {
  const { rollout, nowMs, snapshot } = survey;
  const graces = survey.going.flatMap(({ position, goal }) =>
    position.kind === "probing" && goal
      ? [Math.max(position.command.settledAtMs ?? 0, rollout.resumedAtMs) + goal.spec.health.graceMs]
      : [],
  );
  const gates = membership.gates.flatMap((gate) => [gate.reason.untilMs, gate.pause?.atMs]);
  const instants = [
    ...survey.awake.map((host) => host.due?.atMs),
    ...graces,
    ...gates,
    membership.waiting.length > 0 ? progressDueMs(survey) : undefined,
    swapDueMs(survey) ?? undefined,
    hookDueMs(survey) ?? undefined,
    membership.waiting.some(({ code }) => code === "load-headroom")
      ? nowMs + defaults.beatIntervalMs
      : undefined,
    refusingEdge(survey) ? snapshot.upstream.revisedAtMs + edgeRetryMs : undefined,
  ];
  const ahead = instants.filter((atMs): atMs is number => atMs !== undefined && atMs > nowMs);
  return ahead.length > 0 ? Math.min(...ahead) : null;
}
