import { defaults } from "@siding/shared/defaults";
import { conflictDueMs, holdingConflict } from "./conflict.ts";
import { reportMarginMs } from "./limits.ts";
import type { Position } from "./position.ts";
import type { RolloutRecord } from "./record.ts";
import { type CommandView, type EdgeView, type HostView, isActive, type Snapshot } from "./snapshot.ts";

/**
 * An agent or an edge owes a report at `atMs` on the ledger's clock: later than its deadline where it was not heard since,
 * as it may have been cut off together with others, and then nobody's silence means anything.
 */
export interface Due {
  readonly atMs: number;
  readonly by: "host" | "edge";
}

/**
 * Deadlines run from the step's start, and anew from a resume (a person who resumes wants to see it tried) and from when
 * we hear again.
 */
export function dueOf(
  rollout: RolloutRecord,
  snapshot: Snapshot,
  position: Position,
  host: HostView | undefined,
): Due | null {
  const from = (startMs: number) => Math.max(startMs, rollout.resumedAtMs, snapshot.hearingSinceMs);
  const conflict = holdingConflict(host, position);
  if (conflict) return { atMs: conflictDueMs(conflict, rollout.resumedAtMs), by: "host" };
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
