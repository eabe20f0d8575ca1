import type { RolloutId } from "@siding/shared/ids";
import { isFinished } from "@siding/shared/phases";
import { portOf, type Target } from "@siding/shared/target";
import type { LiveFleet } from "../fleet/live.ts";
import { snapshotOf } from "../fleet/snapshot.ts";
import type { EventBody } from "../ledger/event.ts";
import type { LedgerState, ServiceRecord } from "../ledger/state.ts";
import { oneByOne, singlePlan } from "../rollout/planning.ts";
import type { RolloutRecord } from "../rollout/record.ts";
import type { HostView, Snapshot } from "../rollout/snapshot.ts";
import { edgeReloads, newRollout } from "./admit.ts";
import type { Deliberation } from "./deliberation.ts";

/**
 * Between rollouts the fleet converges by the same steps, one host at a time: a new matching host, one that was away,
 * one whose address changed, one that a person holds out. It never starts while a rollout runs or waits, and gives way
 * to one of a person. Of two targets (after an abort) it prefers none: only hosts out of traffic are brought in.
 */
export function reconcile(state: LedgerState, live: LiveFleet, nowMs: number): Deliberation {
  const found = [...state.services.values()].map((service) => reconcileService(state, live, service, nowMs));
  const instants = found.flatMap(({ wakeAtMs }) => wakeAtMs ?? []);
  return {
    // One at a time: the place of its event in the log names a rollout, and the loop asks again after each.
    events: found.find(({ events }) => events.length > 0)?.events ?? [],
    wakeAtMs: instants.length > 0 ? Math.min(...instants) : null,
  };
}

const nothing: Deliberation = { events: [], wakeAtMs: null };

function reconcileService(
  state: LedgerState,
  live: LiveFleet,
  service: ServiceRecord,
  nowMs: number,
): Deliberation {
  const snapshot = snapshotOf(state, live, service.spec.name, nowMs);
  if (!snapshot || service.activeRollout || service.queuedRollout || !canSee(snapshot)) return nothing;
  let wakeAtMs: number | null = null;
  for (const host of snapshot.hosts) {
    const move = moveOf(snapshot, service, host);
    if (!move) continue;
    const atMs = retryAtMs(state, service, host);
    if (atMs === null) continue;
    if (atMs <= nowMs) return { events: [begin(state, service, snapshot, move, nowMs)], wakeAtMs: null };
    wakeAtMs = Math.min(wakeAtMs ?? atMs, atMs);
  }
  return { events: [], wakeAtMs };
}

/** Who can't see leaves everything as it is: no blindness, every edge and every listed host heard. */
function canSee({ blind, edges, hosts, upstream }: Snapshot): boolean {
  const listed = (hostId: string) => upstream.content.members.some((member) => member.hostId === hostId);
  return (
    !blind &&
    edges.length > 0 &&
    edges.every((edge) => edge.liveness.kind === "alive" && edge.confirmed > 0) &&
    hosts.every((host) => host.liveness.kind === "alive" || !listed(host.hostId))
  );
}

interface Move {
  readonly host: HostView;
  readonly goal: Target | null;
  readonly why: string;
}

function moveOf(snapshot: Snapshot, { target }: ServiceRecord, host: HostView): Move | null {
  const member = snapshot.upstream.content.members.find(({ hostId }) => hostId === host.hostId);
  if (host.hold) return member ? { host, goal: null, why: `${host.hostId} is ${host.hold} by hand` } : null;
  if (host.liveness.kind !== "alive" || host.conflict || !host.address) return null;
  if (!member) return target && { host, goal: target, why: `${host.hostId} is out of traffic` };
  const goal = host.instance.target;
  const moved =
    goal && (member.address !== host.address || member.port !== portOf(goal.spec.ports, member.slot));
  return moved ? { host, goal, why: `${host.hostId} has another address: ${host.address}` } : null;
}

/** What went wrong here is tried again ever more slowly; what a person's rollout left out is that person's to mend. */
const firstRetryMs = 30_000;
const longestRetryMs = 600_000;

/** Null: not by itself. */
function retryAtMs(state: LedgerState, service: ServiceRecord, host: HostView): number | null {
  const mine = [...state.rollouts.values()]
    .filter((rollout) => rollout.service === service.spec.name && rollout.hosts[host.hostId] !== undefined)
    .toSorted((left, right) => right.createdAtMs - left.createdAtMs);
  const failures = mine.findIndex((rollout) => !leftOut(rollout, host));
  const tries = failures === -1 ? mine.length : failures;
  const [newest] = mine;
  if (tries === 0 || !newest) return 0;
  if (newest.origin === "person") return null;
  const sinceMs = newest.hosts[host.hostId]?.phaseSinceMs ?? 0;
  return sinceMs + Math.min(firstRetryMs * 2 ** (tries - 1), longestRetryMs);
}

function leftOut({ hosts, failed, status }: RolloutRecord, { hostId }: HostView): boolean {
  const course = hosts[hostId]?.course;
  return isFinished(status) && failed.includes(hostId) && course?.kind === "settled" && course.on === null;
}

function begin(
  state: LedgerState,
  service: ServiceRecord,
  snapshot: Snapshot,
  { host, goal, why }: Move,
  nowMs: number,
): EventBody {
  const plan = singlePlan(snapshot, host, goal);
  const to = goal ?? host.instance.target ?? service.target;
  if (!to) throw new Error(`${host.hostId} is listed and has no target`);
  const context = {
    id: `r-converge-${state.sequence + 1}` as RolloutId,
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
