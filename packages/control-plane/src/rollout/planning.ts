import type { HostId } from "@siding/shared/ids";
import type { Strategy } from "@siding/shared/spec";
import type { Target } from "@siding/shared/target";
import { entryOf } from "./by-host.ts";
import { baseOf, batchSizeOf, minServingOf } from "./capacity.ts";
import { inOrder } from "./order.ts";
import type { Plan, PlannedHost } from "./plan.ts";
import type { RolloutRecord } from "./record.ts";
import type { HostView, Snapshot } from "./snapshot.ts";
import { batchingOf } from "./strategies/registry.ts";
import { type HostSurvey, listedTarget, outOfTraffic, type Survey, stillPlanned } from "./survey.ts";

/** What a rollout asks for, before it has a plan. */
export interface Wanted {
  readonly to: Target;
  readonly strategy: Strategy;
}

/** True where the host serves the target already and nothing is left to do. */
function isOnTarget(snapshot: Snapshot, host: HostView, to: Target): boolean {
  const listed = snapshot.upstream.content.members.some(
    (member) => member.hostId === host.hostId && member.targetId === to.id,
  );
  return listed && host.instance.target?.id === to.id && host.instance.running === to.id;
}

/** Between rollouts: one host comes to `goal`, or leaves traffic where that is null. Nobody else is touched. */
export function singlePlan(snapshot: Snapshot, host: HostView, goal: Target | null): Plan {
  const { slot, target } = host.instance;
  const { members } = snapshot.upstream.content;
  const away = snapshot.hosts.filter(
    ({ hostId, liveness }) =>
      liveness.kind !== "alive" && !members.some((member) => member.hostId === hostId),
  );
  return {
    ...frame(snapshot, oneByOne, null),
    kind: "forward",
    whole: false,
    batches: [[host.hostId]],
    hosts: [{ hostId: host.hostId, slot, goal, from: target }],
    absent: away.map(({ hostId }) => hostId),
  };
}

export const oneByOne: Extract<Strategy, { kind: "rolling" }> = {
  kind: "rolling",
  batchSize: { kind: "count", count: 1 },
  maxUnavailable: null,
  spread: null,
  allowDowntime: false,
};

/**
 * strategy(spec, snapshot) -> plan. Hosts on the target already are left alone; silent ones are `absent`: they are
 * delisted and caught up later.
 */
export function forwardPlan(
  snapshot: Snapshot,
  wanted: Wanted,
  parent: Plan | null,
  skip: readonly HostId[],
): Plan {
  const open = snapshot.hosts.filter(
    (host) => !skip.includes(host.hostId) && host.hold === null && !isOnTarget(snapshot, host, wanted.to),
  );
  const held = snapshot.hosts.filter((host) => !skip.includes(host.hostId) && host.hold !== null);
  const absent = open.filter((host) => host.liveness.kind === "silent").map((host) => host.hostId);
  const present = open.filter((host) => !absent.includes(host.hostId));
  const hosts = inOrder(snapshot, present, wanted.strategy).map((host): PlannedHost => {
    const { slot, target } = host.instance;
    return { hostId: host.hostId, slot, goal: wanted.to, from: target };
  });
  const order = hosts.map((host) => host.hostId);
  const batching = batchingOf(wanted.strategy, order, Math.max(baseOf(snapshot).length, order.length));
  return {
    ...frame(snapshot, wanted.strategy, parent),
    kind: "forward",
    whole: batching.whole,
    batches: batching.batches.map((batch) => [...batch]),
    hosts,
    absent,
    held: held.map(({ hostId }) => hostId),
  };
}

/** Each of these hosts runs again what it runs; the sick first, batch by batch. */
export function restartPlan(
  snapshot: Snapshot,
  strategy: Strategy,
  parent: Plan | null,
  hostIds: readonly HostId[],
): Plan {
  const { members } = snapshot.upstream.content;
  const wanted = snapshot.hosts.filter((host) => hostIds.includes(host.hostId) && host.hold === null);
  const present = wanted.filter((host) => host.liveness.kind !== "silent");
  const away = snapshot.hosts.filter(
    ({ hostId, liveness }) =>
      liveness.kind === "silent" &&
      (hostIds.includes(hostId) || !members.some((member) => member.hostId === hostId)),
  );
  const hosts = inOrder(snapshot, present, strategy).flatMap(({ hostId, instance }): PlannedHost[] => {
    const { slot, target } = instance;
    return target === null ? [] : [{ hostId, slot, goal: target, from: target, restart: true }];
  });
  const order = hosts.map((host) => host.hostId);
  const { batches } = batchingOf(strategy, order, Math.max(baseOf(snapshot).length, order.length));
  return {
    ...frame(snapshot, strategy, parent),
    kind: "forward",
    whole: false,
    batches: batches.map((batch) => [...batch]),
    hosts,
    absent: away.map(({ hostId }) => hostId),
  };
}

/**
 * The plan of a rollout whose turn has come, or that a person resumes after its batch in hand was given back (`parent`):
 * what is done stays done, what has failed is left.
 */
export function planAnew(snapshot: Snapshot, rollout: RolloutRecord, parent: Plan | null): Plan {
  const failed = parent === null ? [] : rollout.failed;
  if (rollout.purpose !== "restart") return forwardPlan(snapshot, rollout, parent, failed);
  const givenBack = parent?.hosts.map(({ hostId }) => hostId) ?? [];
  const open = rollout.hosts.flatMap(({ hostId, course }) => {
    const isOpen = course.kind === "planned" || givenBack.includes(hostId);
    return isOpen && !failed.includes(hostId) ? [hostId] : [];
  });
  return restartPlan(snapshot, rollout.strategy, parent, open);
}

/** A host that is given back, or goes back, is not restarted for that. */
function withoutRestart({ restart: _, ...planned }: PlannedHost): PlannedHost {
  return planned;
}

function frame(snapshot: Snapshot, strategy: Strategy, parent: Plan | null) {
  const base = baseOf(snapshot).length;
  const limited = strategy.kind === "rolling" && strategy.maxUnavailable !== null;
  return {
    id: (parent?.id ?? 0) + 1,
    parent: parent?.id ?? null,
    held: parent?.held ?? [],
    base,
    minServing: minServingOf(snapshot.spec.capacity.minServing, base),
    maxUnavailable: limited && strategy.maxUnavailable ? batchSizeOf(strategy.maxUnavailable, base) : null,
    allowsDowntime: strategy.kind !== "in-place" && strategy.allowDowntime,
  };
}

/**
 * Abort and stop: the batch in hand is given back. Verified instances join, unstopped ones rejoin, others go back to
 * where they came from. In-place before its swap takes its half back, so that two targets never serve together.
 */
export function returnPlan(survey: Survey): { readonly plan: Plan; readonly keep: readonly HostId[] } {
  const { rollout, snapshot } = survey;
  const hand = [...outOfTraffic(survey), ...takenBack(survey)];
  const joining = survey.hosts.filter(({ position }) => position.kind === "joining");
  const kept = [...hand, ...joining];
  const mixes = rollout.plan.whole && stillOnFrom(survey);
  return {
    plan: {
      ...frame(snapshot, rollout.strategy, rollout.plan),
      kind: "return",
      whole: false,
      batches: [],
      hosts: kept.map((host) => ({
        ...withoutRestart(host.planned),
        goal: returnGoal(survey, host, mixes),
      })),
      absent: [],
    },
    keep: kept.map((host) => host.planned.hostId),
  };
}

/**
 * In hand by the plan, and in traffic: the half that had left with a swap and came back with its undoing, or whoever
 * serves by a ledger that was restored from a backup.
 */
function takenBack(survey: Survey): readonly HostSurvey[] {
  return survey.going.filter(({ position }) => position.kind === "listed");
}

/**
 * A restored ledger can have overtaken a rollback: who is on the way back by its plan serves the rollout's target again,
 * or who was to go back does not any more.
 */
export function isOvertaken(survey: Survey): boolean {
  if (survey.rollout.plan.kind !== "rollback") return false;
  const isHere = ({ planned }: HostSurvey) => isChanged(survey, planned);
  return takenBack(survey).some(isHere) || !stillPlanned(survey).every(isHere);
}

/** Some host still serves what it came from. */
function stillOnFrom({ rollout, snapshot }: Survey): boolean {
  return snapshot.upstream.content.members.some((member) => member.targetId !== rollout.to.id);
}

function returnGoal(survey: Survey, host: HostSurvey, mixes: boolean): Target | null {
  const { rollout } = survey;
  const { position, planned, goal } = host;
  if (position.kind === "listed") return listedTarget(survey, host);
  const running = host.host?.instance.running;
  const verified = position.kind === "ready" || position.kind === "probing" || position.kind === "joining";
  if (verified && goal && !(mixes && goal.id === rollout.to.id)) return goal;
  const unstopped = [planned.from, rollout.to].find((target) => target && target.id === running);
  if (unstopped && unstopped.id === planned.from?.id) return unstopped;
  return planned.from ?? (verified ? goal : null);
}

/**
 * Rollback: every changed instance goes to its own `from`, those that do not serve first, the others in batches of the
 * strategy (in-place: the whole half, swapped back if it fits), the newest first. An instance that came from nowhere
 * stays.
 */
export function rollbackPlan(survey: Survey): { readonly plan: Plan; readonly keep: readonly HostId[] } {
  const { rollout, snapshot } = survey;
  const own = [...movedBefore(survey), ...rollout.plan.hosts];
  const back = takenBack(survey).filter((host) => !isChanged(survey, host.planned));
  const hand = [...outOfTraffic(survey), ...back].map(
    (host): PlannedHost => ({
      ...host.planned,
      goal: (host.position.kind === "listed" ? null : host.planned.from) ?? returnGoal(survey, host, false),
    }),
  );
  const keep = hand.map((host) => host.hostId);
  const changed = own.filter((host) => !keep.includes(host.hostId) && isChanged(survey, host)).reverse();
  const order = changed.map((host) => host.hostId);
  const { batches } = batchingOf(rollout.strategy, order, rollout.plan.base);
  return {
    plan: {
      ...frame(snapshot, rollout.strategy, rollout.plan),
      kind: "rollback",
      whole: false,
      batches: (rollout.plan.whole ? [order] : batches)
        .filter((batch) => batch.length > 0)
        .map((batch) => [...batch]),
      hosts: [...hand, ...changed.map((host) => ({ ...host, goal: host.from }))],
      absent: [],
    },
    keep,
  };
}

/** Hosts that moved by an earlier plan of this rollout, which the present one no longer names; none that a person holds. */
function movedBefore({ rollout, snapshot }: Survey): readonly PlannedHost[] {
  const named = new Set(rollout.plan.hosts.map(({ hostId }) => hostId));
  return snapshot.hosts.flatMap(({ hostId, hold, instance }): PlannedHost[] => {
    const progress = entryOf(rollout.hosts, hostId);
    if (named.has(hostId) || hold !== null || !progress || progress.batch === null) return [];
    return [{ hostId, slot: instance.slot, goal: progress.from, from: progress.from }];
  });
}

/**
 * Listed on the rollout's target, or settled there: it has something to go back from, and somewhere to go. One that was out
 * of traffic may have come from that very target.
 */
function isChanged({ rollout, snapshot }: Survey, planned: PlannedHost): boolean {
  if (planned.from === null || planned.from.id === rollout.to.id) return false;
  return snapshot.upstream.content.members.some(
    (member) => member.hostId === planned.hostId && member.targetId === rollout.to.id,
  );
}
