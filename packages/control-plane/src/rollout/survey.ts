import { defaults } from "@siding/shared/defaults";
import type { Target } from "@siding/shared/target";
import { entryOf } from "./by-host.ts";
import { reportMarginMs } from "./limits.ts";
import type { PlannedHost } from "./plan.ts";
import { goalOf, type Position, positionOf } from "./position.ts";
import type { Course, RolloutRecord } from "./record.ts";
import {
  type CommandView,
  type EdgeView,
  type HostView,
  hostIn,
  isActive,
  type Snapshot,
} from "./snapshot.ts";

/** Everything that the steps of `advance` look at, worked out once per decision. */
export interface Survey {
  readonly rollout: RolloutRecord;
  readonly snapshot: Snapshot;
  readonly nowMs: number;
  readonly hosts: readonly HostSurvey[];
}

export interface HostSurvey {
  readonly planned: PlannedHost;
  readonly course: Course;
  readonly host: HostView | undefined;
  readonly goal: Target | null;
  readonly position: Position;
  /** When the step in hand is overdue, and who owes it; null where nothing is owed. */
  readonly due: Due | null;
}

/**
 * An agent or an edge owes a report at `atMs` on the ledger's clock: later than its deadline where it was not heard since,
 * as it may have been cut off together with others, and then nobody's silence means anything.
 */
interface Due {
  readonly atMs: number;
  readonly by: "host" | "edge";
}

export function surveyOf(rollout: RolloutRecord, snapshot: Snapshot, nowMs: number): Survey {
  const hosts = rollout.plan.hosts.map((planned): HostSurvey => {
    const host = hostIn(snapshot, planned.hostId);
    const course = rollout.hosts[planned.hostId]?.course ?? { kind: "planned" };
    const position = positionOf(rollout, snapshot, planned, host);
    const due = dueOf(rollout, snapshot, position, host);
    return { planned, course, host, goal: goalOf(snapshot, planned, course, host), position, due };
  });
  return { rollout, snapshot, nowMs, hosts };
}

/**
 * Deadlines run from the step's start, and anew from a resume (a person who resumes wants to see it tried) and from when
 * we hear again.
 */
function dueOf(
  rollout: RolloutRecord,
  snapshot: Snapshot,
  position: Position,
  host: HostView | undefined,
): Due | null {
  const from = (startMs: number) => Math.max(startMs, rollout.resumedAtMs, snapshot.hearingSinceMs);
  switch (position.kind) {
    case "draining":
    case "updating":
    case "verifying":
      return { atMs: missedMs(commandDueMs(position.command, from), host), by: "host" };
    case "idle":
      return stageDue(rollout, host, from);
    case "leaving":
    case "joining":
      return edgeDue(position.edges, from(snapshot.upstream.revisedAtMs) + defaults.edgeDeadlineMs);
    case "probing":
      return edgeDue(
        position.edges,
        from(position.command.settledAtMs ?? 0) + defaults.edgeDeadlineMs + defaults.health.graceMs,
      );
    case "listed":
    case "out":
    case "drained":
    case "started":
    case "ready":
    case "serving":
    case "broken":
    case "stranded":
    case "settled":
      return null;
  }
}

function stageDue(
  rollout: RolloutRecord,
  host: HostView | undefined,
  from: (ms: number) => number,
): Due | null {
  const command = host?.instance.command;
  const staging = command?.rolloutId === rollout.id && command.kind === "stage" && isActive(command);
  return staging ? { atMs: missedMs(commandDueMs(command, from), host), by: "host" } : null;
}

/** The first edge that owes it. */
function edgeDue(edges: readonly EdgeView[], dueMs: number): Due {
  return { atMs: Math.min(...edges.map((edge) => missedMs(dueMs, edge))), by: "edge" };
}

/** When what was due counts as missed: at once if its agent goes on beating, else when its silence is its own. */
export function missedMs(dueMs: number, agent: HostView | EdgeView | undefined): number {
  if (!agent || agent.liveness.heardMs >= dueMs) return dueMs;
  return Math.max(dueMs, agent.liveness.givenUpMs);
}

function commandDueMs(command: CommandView, from: (ms: number) => number): number {
  return from(command.issuedAtMs) + command.deadlineMs + reportMarginMs;
}

export function isOverdue(survey: Survey, host: HostSurvey): boolean {
  return host.due !== null && survey.nowMs >= host.due.atMs && !survey.snapshot.blind;
}

/** Hosts that this plan has taken in hand and not settled. */
export function going(survey: Survey): readonly HostSurvey[] {
  return survey.hosts.filter((host) => host.course.kind === "going");
}

/** Going, and out of the ledger's list: what capacity misses. */
export function outOfTraffic(survey: Survey): readonly HostSurvey[] {
  return going(survey).filter(
    ({ position }) =>
      position.kind !== "joining" && position.kind !== "serving" && position.kind !== "listed",
  );
}

export function stillPlanned(survey: Survey): readonly HostSurvey[] {
  return survey.hosts.filter((host) => host.course.kind === "planned");
}

/** What the ledger lists the host with; null where it does not, or that target is known by its id alone. */
export function listedTarget({ rollout, snapshot }: Survey, { planned, host }: HostSurvey): Target | null {
  const member = entryOf(snapshot.upstream.content.members, planned.hostId);
  const known = [planned.from, rollout.to, host?.instance.target];
  return known.find((target) => target?.id === member?.targetId) ?? null;
}
