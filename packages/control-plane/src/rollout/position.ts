import type { Member } from "@siding/shared/command";
import type { HostId, Slot } from "@siding/shared/ids";
import type { HostPhase } from "@siding/shared/phases";
import type { StepFailure } from "@siding/shared/report";
import type { Target } from "@siding/shared/target";
import { entriesOf, entryOf, isNamedIn } from "./by-host.ts";
import type { PlannedHost } from "./plan.ts";
import type { Course, RolloutRecord } from "./record.ts";
import { skewOf } from "./skew.ts";
import {
  type CommandView,
  countedEdges,
  type EdgeView,
  type HostView,
  type InstanceView,
  isActive,
  isListKnown,
  possibleLists,
  type Snapshot,
} from "./snapshot.ts";

/**
 * Where a host stands on its way to its goal, read from what is, not from what was done: the same answer after a
 * restart, a lost report or a replaced plan.
 */
export type Position =
  /** Not started by this plan. */
  | { readonly kind: "idle" }
  /** Still wanted in the upstream on another target than its goal. */
  | { readonly kind: "listed" }
  /** Delisted by the ledger; these edges may still route to it. */
  | { readonly kind: "leaving"; readonly edges: readonly EdgeView[] }
  /** No edge routes to it, but requests may be in flight. */
  | { readonly kind: "out" }
  | { readonly kind: "draining"; readonly command: CommandView }
  /** May be stopped. */
  | { readonly kind: "drained" }
  | { readonly kind: "updating"; readonly command: CommandView }
  /** Runs its goal, not verified. `attempt` names this start for the agent and the edges alike. */
  | { readonly kind: "started"; readonly attempt: number }
  | { readonly kind: "verifying"; readonly command: CommandView }
  /** Verified by its agent; these edges have not seen it good yet. */
  | { readonly kind: "probing"; readonly command: CommandView; readonly edges: readonly EdgeView[] }
  /** Verified by its agent and from every counted edge; without a command where it was never stopped. */
  | { readonly kind: "ready"; readonly command: CommandView | null }
  /** Listed on its goal; these edges do not serve that for certain yet. */
  | { readonly kind: "joining"; readonly edges: readonly EdgeView[] }
  | { readonly kind: "serving" }
  /** A step failed. */
  | { readonly kind: "broken"; readonly phase: HostPhase; readonly failure: StepFailure }
  /** There is nowhere to go: no goal and nothing to go back to. */
  | { readonly kind: "stranded" }
  /** Nothing more is done to it. */
  | { readonly kind: "settled" };

/** Where a host is to go now: after a failure, back; out of traffic and held by a person since, nowhere. */
export function goalOf(
  snapshot: Snapshot,
  planned: PlannedHost,
  course: Course,
  host: HostView | undefined,
): Target | null {
  const isHeldOut = host?.hold && !isNamedIn(snapshot.upstream.content.members, planned.hostId);
  if (isHeldOut) return null;
  return course.kind === "going" && course.failure !== null ? course.back : planned.goal;
}

/** That it runs its goal is not enough: it is to be stopped and started. After a failure it only goes back. */
export function isRestarting({ restart }: PlannedHost, course: Course): boolean {
  return restart === true && (course.kind !== "going" || course.failure === null);
}

/** A host's way: to its goal, since the revision with which it left. */
interface Way {
  readonly goal: Target;
  readonly sinceRevision: number;
  readonly restarts: boolean;
}

export function positionOf(
  rollout: RolloutRecord,
  snapshot: Snapshot,
  planned: PlannedHost,
  host: HostView | undefined,
): Position {
  const course = entryOf(rollout.hosts, planned.hostId)?.course ?? { kind: "planned" };
  if (course.kind === "settled") return { kind: "settled" };
  if (course.kind === "planned") return idlePosition(rollout, planned, host);
  const goal = goalOf(snapshot, planned, course, host);
  if (!host) return { kind: "stranded" };
  if (!goal) return departure(snapshot, host);
  const way = { goal, sinceRevision: course.sinceRevision, restarts: isRestarting(planned, course) };
  return listingPosition(snapshot, host, way) ?? outPosition(rollout, snapshot, host, way);
}

/** Commands that may be stopping what runs and starting something else. */
const stopping: ReadonlySet<CommandView["kind"]> = new Set(["update", "revert", "restart"]);

/** It goes nowhere: out of every list, drained, and left there. */
function departure(snapshot: Snapshot, host: HostView): Position {
  const { hostId } = host;
  const { slot, running, drained, command } = host.instance;
  if (isNamedIn(snapshot.upstream.content.members, hostId)) return { kind: "listed" };
  const edges = countedEdges(snapshot).filter((edge) => mayServe(snapshot, edge, hostId, slot));
  if (edges.length > 0) return { kind: "leaving", edges };
  // It may be starting what it will never serve, and running hooks for that: it is left when that has ended.
  const updates = command !== null && stopping.has(command.kind);
  if (updates && isActive(command)) return { kind: "updating", command };
  if (drained || running === null) return { kind: "stranded" };
  if (command?.kind !== "drain") return { kind: "out" };
  if (isActive(command)) return { kind: "draining", command };
  return command.status === "failed" ? { kind: "stranded" } : { kind: "out" };
}

/** Before its batch, only staging can go wrong. */
function idlePosition(rollout: RolloutRecord, planned: PlannedHost, host: HostView | undefined): Position {
  const skew = host && planned.goal && skewOf(host, "host", planned.goal);
  if (skew) return { kind: "broken", phase: "staging", failure: skew };
  const command = host?.instance.command;
  if (command?.rolloutId !== rollout.id || command.kind !== "stage" || command.status !== "failed") {
    return { kind: "idle" };
  }
  return { kind: "broken", phase: "staging", failure: failureOf(command) };
}

/**
 * As long as some list names the host, that is where it stands. One that was delisted on paper only, and goes back to
 * what it still runs, needs no verification anew.
 */
function listingPosition(snapshot: Snapshot, host: HostView, way: Way): Position | null {
  const { goal, restarts } = way;
  const { hostId } = host;
  const { slot, running, health } = host.instance;
  const wanted = entriesOf(snapshot.upstream.content.members, hostId).find((member) => member.slot === slot);
  if (wanted && wanted.targetId !== goal.id) return { kind: "listed" };
  if (wanted) {
    const lagging = countedEdges(snapshot).filter((edge) => !servesOnly(snapshot, edge, wanted));
    return lagging.length === 0 ? { kind: "serving" } : { kind: "joining", edges: lagging };
  }
  const edges = countedEdges(snapshot).filter((edge) => mayServe(snapshot, edge, hostId, slot));
  if (edges.length === 0) return null;
  const unstopped = !restarts && running === goal.id && health !== "bad" && !host.instance.drained;
  const routed = edges
    .flatMap((edge) => possibleLists(snapshot, edge))
    .flatMap((list) => entriesOf(list, hostId));
  // An edge whose list this ledger does not know may route to it or not.
  if (!unstopped || routed.length === 0) return { kind: "leaving", edges };
  // At another address it was never verified; an edge that counts only since then has never seen it. It is verified as if
  // it came from outside, by whichever list it is still routed to: nothing is stopped for that.
  const hasMoved = routed.some((member) => member.address !== host.address);
  const isNew = countedEdges(snapshot).some((edge) => edge.countedSince > way.sinceRevision);
  return hasMoved || isNew ? null : { kind: "ready", command: null };
}

/** True where every list that the edge may be serving names the instance, on that target. */
function servesOnly(snapshot: Snapshot, edge: EdgeView, wanted: Member): boolean {
  const lists = possibleLists(snapshot, edge);
  return (
    edge.confirmed > 0 &&
    lists.every((members) =>
      entriesOf(members, wanted.hostId).some(
        ({ slot, targetId }) => slot === wanted.slot && targetId === wanted.targetId,
      ),
    )
  );
}

/** An edge that serves a list which this ledger does not know (it was restored from a backup) may serve anybody. */
function mayServe(snapshot: Snapshot, edge: EdgeView, hostId: HostId, slot: Slot): boolean {
  if (!isListKnown(snapshot, edge)) return true;
  return possibleLists(snapshot, edge).some((members) =>
    entriesOf(members, hostId).some((member) => member.slot === slot),
  );
}

/** Out of every list: from draining to ready. Only commands of this journey count. */
function outPosition(rollout: RolloutRecord, snapshot: Snapshot, host: HostView, way: Way): Position {
  const { goal, sinceRevision, restarts } = way;
  const { instance } = host;
  const { command } = instance;
  const attempt = Math.max(command?.revision ?? 0, sinceRevision);
  if (
    command &&
    command.rolloutId === rollout.id &&
    command.revision > sinceRevision &&
    command.status !== "void"
  ) {
    const position = commandPosition(snapshot, host, command, way, attempt);
    if (position) return position;
  }
  if (!restarts && instance.running === goal.id) return { kind: "started", attempt };
  const isEmpty = instance.running === null && !mayComeBack(instance);
  return instance.drained || isEmpty ? { kind: "drained" } : { kind: "out" };
}

/**
 * What was verified once its agent starts again by itself, at any instant: that nothing runs says nothing of the requests
 * which are on it when a command arrives. Its drain ends at once where nothing runs then, either.
 */
function mayComeBack({ target, command }: InstanceView): boolean {
  return target !== null || command?.kind === "verify";
}

/**
 * What the newest command says; null where it was for another goal and is to be replaced. One that may be stopping the
 * instance right now is replaced by an update to the goal, whatever runs at this instant.
 */
function commandPosition(
  snapshot: Snapshot,
  host: HostView,
  command: CommandView,
  way: Way,
  attempt: number,
): Position | null {
  const { goal } = way;
  if (command.kind === "stage" || command.kind === "rejoin" || command.kind === "hook") return null;
  if (command.kind === "drain") return drainPosition(host, command, way, attempt);
  const active = isActive(command);
  if (command.targetId !== goal.id) return active && command.kind !== "verify" ? { kind: "drained" } : null;
  const phase = command.kind === "verify" ? "verifying" : "updating";
  if (command.status === "failed") return { kind: "broken", phase, failure: failureOf(command) };
  if (active) return { kind: phase, command };
  return command.kind === "verify" && !isToBeVerifiedAnew(snapshot, host, command)
    ? verifiedPosition(snapshot, host, command, goal)
    : { kind: "started", attempt };
}

/** One that goes back to what it still runs need not wait for its drain. */
function drainPosition(
  host: HostView,
  command: CommandView,
  { goal, restarts }: Way,
  attempt: number,
): Position | null {
  if (!restarts && host.instance.running === goal.id) return { kind: "started", attempt };
  if (command.status === "failed") {
    return { kind: "broken", phase: "draining", failure: failureOf(command) };
  }
  return isActive(command) ? { kind: "draining", command } : null;
}

/** It was started again since, or has another address: what was seen then was another instance. */
function isToBeVerifiedAnew({ upstream }: Snapshot, host: HostView, command: CommandView): boolean {
  const watched = entriesOf(upstream.content.watch, host.hostId).find(
    (each) => each.attempt === command.attempt,
  );
  return host.instance.health === "unknown" || (watched !== undefined && watched.address !== host.address);
}

/** The agent's half is done; the edges' half, and whether it has stayed well since. */
function verifiedPosition(snapshot: Snapshot, host: HostView, command: CommandView, goal: Target): Position {
  const { instance } = host;
  if (instance.running !== goal.id || instance.health === "bad") {
    const message = `was verified, then ${instance.running === goal.id ? "turned unhealthy" : "ended"} before it joined`;
    return {
      kind: "broken",
      phase: "verifying",
      failure: instance.trouble ?? { code: "unhealthy", message },
    };
  }
  const edges = countedEdges(snapshot).filter((edge) => probeOf(edge, host, command)?.state !== "good");
  return edges.length === 0 ? { kind: "ready", command } : { kind: "probing", command, edges };
}

/** What an edge's probes say of the attempt that a verify command began. */
export function probeOf(
  edge: EdgeView,
  host: HostView,
  command: CommandView,
): EdgeView["probes"][number] | undefined {
  return entriesOf(edge.probes, host.hostId).find(
    (probe) => probe.slot === host.instance.slot && probe.attempt === command.attempt,
  );
}

function failureOf(command: CommandView): StepFailure {
  return command.failure ?? { code: "failed", message: `${command.kind} failed without a reason` };
}
