import type { Member } from "@siding/shared/command";
import type { RolloutId } from "@siding/shared/ids";
import { isFinished } from "@siding/shared/phases";
import { portOf, type Target } from "@siding/shared/target";
import type { LiveFleet } from "../fleet/live.ts";
import { snapshotOf } from "../fleet/snapshot.ts";
import type { EventBody } from "../ledger/event.ts";
import type { LedgerState, ServiceRecord } from "../ledger/state.ts";
import { entryOf, isNamedIn } from "../rollout/by-host.ts";
import { oneByOne, singlePlan } from "../rollout/planning.ts";
import { isMove, type RolloutRecord } from "../rollout/record.ts";
import { countedEdges, type HostView, isActive, type Snapshot } from "../rollout/snapshot.ts";
import type { Deliberation } from "./deliberation.ts";
import { givesWay } from "./holds.ts";
import { edgeReloads, newRollout } from "./new-rollout.ts";

/**
 * Between rollouts the fleet converges by the same steps, one host at a time: a new matching host, one that was away,
 * one whose address changed, one that a person holds out. It never starts while a rollout runs or waits, and gives way
 * to one of a person. Of two targets (after an abort) it prefers none: only hosts out of traffic are brought in.
 */
export function reconcile(state: LedgerState, live: LiveFleet, nowMs: number): Deliberation {
  if (state.behind !== null) return nothing;
  const events: EventBody[] = [];
  const instants: number[] = [];
  for (const service of state.services.values()) {
    const sequence = state.sequence + events.length + 1;
    const found = reconcileService(state, live, service, { sequence, nowMs });
    events.push(...found.events);
    if (found.wakeAtMs !== null) instants.push(found.wakeAtMs);
  }
  return { events, wakeAtMs: instants.length > 0 ? Math.min(...instants) : null };
}

/** When a rollout begins: its event's own place in the log names it, and on the ledger's clock. */
interface Beginning {
  readonly sequence: number;
  readonly nowMs: number;
}

const nothing: Deliberation = { events: [], wakeAtMs: null };

function reconcileService(
  state: LedgerState,
  live: LiveFleet,
  service: ServiceRecord,
  beginning: Beginning,
): Deliberation {
  const { nowMs } = beginning;
  if (service.activeRollout || service.queuedRollout) return nothing;
  const snapshot = snapshotOf(state, live, service.spec.name, nowMs);
  if (!snapshot || !canSee(snapshot)) return nothing;
  const moves = snapshot.hosts.flatMap((host) => {
    const move = moveOf(state, snapshot, service, host);
    const attempt = move && attemptOf(state, service, snapshot, host);
    return move && attempt ? [{ ...attempt, atMs: Math.max(attempt.atMs, move.atMs ?? 0), move }] : [];
  });
  // Whoever was tried least comes first: one that can't be moved must not keep the others waiting for ever.
  const [next] = moves
    .filter(({ atMs }) => atMs <= nowMs)
    .toSorted((left, right) => left.tries - right.tries);
  if (next) return { events: [begin(state, service, snapshot, next.move, beginning)], wakeAtMs: null };
  return { events: [], wakeAtMs: moves.length > 0 ? Math.min(...moves.map(({ atMs }) => atMs)) : null };
}

/** Who can't see leaves everything as it is: no blindness, every edge that counts and every listed host heard. */
function canSee(snapshot: Snapshot): boolean {
  const { blind, hosts, upstream } = snapshot;
  const edges = countedEdges(snapshot);
  return (
    !blind &&
    edges.length > 0 &&
    edges.every((edge) => edge.liveness.kind === "alive" && edge.confirmed > 0 && !edge.isFromBackup) &&
    hosts.every((host) => host.liveness.kind === "alive" || !isNamedIn(upstream.content.members, host.hostId))
  );
}

interface Move {
  readonly host: HostView;
  readonly goal: Target | null;
  readonly why: string;
  /** What only its newest agent says is not acted upon before; absent: at once. */
  readonly atMs?: number;
}

function moveOf(state: LedgerState, snapshot: Snapshot, service: ServiceRecord, host: HostView): Move | null {
  const { target } = service;
  const member = entryOf(snapshot.upstream.content.members, host.hostId);
  if (host.hold) {
    const isKnown = member && knownTarget(state, service, host, member);
    return isKnown ? { host, goal: null, why: `${host.hostId} is ${host.hold} by hand` } : null;
  }
  if (host.liveness.kind !== "alive" || host.conflict || !host.address) return null;
  if (!member) return target && { host, goal: target, why: `${host.hostId} is out of traffic` };
  const goal = listedWith(state, service, host, member);
  const moved =
    goal && (member.address !== host.address || member.port !== portOf(goal.spec.ports, member.slot));
  return (
    strayed(state, service, host, member) ??
    (moved
      ? { host, goal, why: `${host.hostId} has another address: ${host.address}`, atMs: host.soleFromMs }
      : null)
  );
}

/**
 * What the host is listed with. Of one that never settled the rollout that brought it into traffic knows that; null where
 * nobody does, as of a release that was registered after the backup of a restored ledger.
 */
function listedWith(
  state: LedgerState,
  { spec }: ServiceRecord,
  { instance: { target } }: HostView,
  { targetId }: Member,
): Target | null {
  if (target?.id === targetId) return target;
  const bringing = [...state.rollouts.values()].findLast(
    ({ service, to }) => service === spec.name && to.id === targetId,
  );
  return bringing?.to ?? null;
}

/** A target to name where a host only leaves; null where a restored ledger knows none at all. */
function knownTarget(
  state: LedgerState,
  service: ServiceRecord,
  host: HostView,
  member: Member,
): Target | null {
  return listedWith(state, service, host, member) ?? host.instance.target ?? service.target;
}

/** Listed, and not on what it should be: what the last rollout brought to the others, or what it is listed with. */
function strayed(
  state: LedgerState,
  service: ServiceRecord,
  host: HostView,
  { targetId }: Member,
): Move | null {
  const { target: goal } = service;
  if (!goal) return null;
  const { running, command, target } = host.instance;
  // Behind our back: a machine that was put back to an older state, or a clone that was taken for it.
  if (running !== null && running !== targetId && !(command && isActive(command))) {
    return { host, goal, why: `${host.hostId} runs ${running}, not ${targetId}`, atMs: host.soleFromMs };
  }
  if (!target || target.id === goal.id || !wasPassedOver(state, service, host)) return null;
  return { host, goal, why: `${host.hostId} serves ${target.id}, and the service came to ${goal.id}` };
}

/**
 * A person held the host when the rollout was planned that brought the service to its target, and has given it back
 * since; or it was out of reach then, and what the fleet did of itself to bring it there came to nothing. Whoever stayed
 * behind otherwise (after an abort, say) does so because a person wanted it.
 */
function wasPassedOver(state: LedgerState, { spec, target }: ServiceRecord, { hostId }: HostView): boolean {
  const ofService = [...state.rollouts.values()].filter(({ service }) => service === spec.name);
  const newest = ofService.findLast((rollout) => isMove(rollout) && rollout.status !== "queued");
  if (newest?.status !== "succeeded" || newest.to.id !== target?.id) return false;
  if (newest.plan.held.includes(hostId)) return true;
  const last = ofService.findLast(({ purpose, hosts }) => purpose !== "restart" && isNamedIn(hosts, hostId));
  return newest.plan.absent.includes(hostId) && last?.origin === "reconciler" && last.status !== "succeeded";
}

/** What went wrong here is tried again ever more slowly; what a person's rollout left out is that person's to mend. */
const firstRetryMs = 30_000;
const longestRetryMs = 600_000;

/** How often it was tried in vain, and when it is tried next; null: not by itself. */
function attemptOf(
  state: LedgerState,
  service: ServiceRecord,
  { upstream }: Snapshot,
  host: HostView,
): { readonly tries: number; readonly atMs: number } | null {
  const mine = [...state.rollouts.values()]
    .filter((rollout) => rollout.service === service.spec.name && isNamedIn(rollout.hosts, host.hostId))
    .toReversed();
  const failures = mine.findIndex((rollout) => !leftOut(rollout, host) && !cameToNothing(rollout));
  const tries = failures === -1 ? mine.length : failures;
  const [newest] = mine;
  if (tries === 0 || !newest) return { tries, atMs: 0 };
  const isListed = isNamedIn(upstream.content.members, host.hostId);
  if (newest.origin === "person") return isListed ? { tries: 0, atMs: 0 } : null;
  const sinceMs = entryOf(newest.hosts, host.hostId)?.phaseSinceMs ?? 0;
  return { tries, atMs: sinceMs + Math.min(firstRetryMs * 2 ** (tries - 1), longestRetryMs) };
}

/** The fleet tried it of itself, and could not: capacity, an edge or an agent that did not answer. */
function cameToNothing({ origin, status, cause }: RolloutRecord): boolean {
  const tried = origin === "reconciler" && (status === "aborted" || status === "failed");
  return tried && cause?.code !== givesWay;
}

function leftOut({ hosts, failed, status }: RolloutRecord, { hostId }: HostView): boolean {
  const course = entryOf(hosts, hostId)?.course;
  return isFinished(status) && failed.includes(hostId) && course?.kind === "settled" && course.on === null;
}

function begin(
  state: LedgerState,
  service: ServiceRecord,
  snapshot: Snapshot,
  { host, goal, why }: Move,
  { sequence, nowMs }: Beginning,
): EventBody {
  const plan = singlePlan(snapshot, host, goal);
  const member = entryOf(snapshot.upstream.content.members, host.hostId);
  const to = goal ?? (member && knownTarget(state, service, host, member));
  if (!to) throw new Error(`${host.hostId} is listed with a target that no rollout knows`);
  const context = {
    id: `r-converge-${sequence}` as RolloutId,
    by: "reconciler",
    at: "",
    nowMs,
    idempotencyKey: null,
  };
  const options = { onFailure: "stop" as const, comment: why, verifyHold: 0, bakeTime: 0 };
  const purpose = goal === null ? "take-out" : "bring-in";
  const rollout = newRollout(service, options, context, {
    to,
    plan,
    strategy: oneByOne,
    snapshot,
    purpose,
    beforeRollout: null,
  });
  return {
    type: "rollout-created",
    rollout: {
      ...rollout,
      origin: "reconciler",
      reloadsBefore: edgeReloads(state, snapshot),
    },
    idempotencyKey: null,
  };
}
