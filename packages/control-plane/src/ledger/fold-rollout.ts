import type { HostId, RolloutId } from "@siding/shared/ids";
import type { ActionOf } from "../rollout/action.ts";
import { entryOf, isNamedIn, withEntries } from "../rollout/by-host.ts";
import type { PlannedHost } from "../rollout/plan.ts";
import { type HostProgress, isMove, type RolloutHook, type RolloutRecord } from "../rollout/record.ts";
import type { LedgerEvent, OutsideEvent } from "./event.ts";
import { foldIdempotency } from "./idempotency.ts";
import type { LedgerState, Touched } from "./state.ts";

/** Replaces one rollout's record. A rollout that is not there is a bug of ours: events only name what was created. */
function change(
  state: LedgerState,
  id: RolloutId,
  edit: (rollout: RolloutRecord) => RolloutRecord,
): readonly Touched[] {
  const rollout = state.rollouts.get(id);
  if (!rollout) throw new Error(`the ledger names rollout ${id}, which it never created`);
  state.rollouts.set(id, edit(rollout));
  return [{ table: "rollouts", key: id }];
}

function changeHosts(
  rollout: RolloutRecord,
  hostIds: readonly HostId[],
  edit: (progress: HostProgress) => HostProgress,
): RolloutRecord {
  const edited = hostIds.flatMap((hostId) => {
    const progress = entryOf(rollout.hosts, hostId);
    return progress ? [edit(progress)] : [];
  });
  return { ...rollout, hosts: withEntries(rollout.hosts, edited) };
}

export function foldRolloutCreated(
  state: LedgerState,
  event: LedgerEvent,
  body: Extract<OutsideEvent, { type: "rollout-created" }>,
): readonly Touched[] {
  const started = foldRolloutStarted(state, { ...body.rollout, createdAt: event.at });
  return [...started, ...foldIdempotency(state, event, body)];
}

/** From now on it is the service's rollout, or the one that waits. */
export function foldRolloutStarted(state: LedgerState, rollout: RolloutRecord): readonly Touched[] {
  state.rollouts.set(rollout.id, rollout);
  const touched: Touched[] = [{ table: "rollouts", key: rollout.id }];
  const service = state.services.get(rollout.service);
  if (!service) return touched;
  const place =
    rollout.status === "queued"
      ? { queuedRollout: rollout.id }
      : { activeRollout: rollout.id, queuedRollout: otherThan(rollout.id, service.queuedRollout) };
  state.services.set(rollout.service, { ...service, ...place });
  return [...touched, { table: "services", key: rollout.service }];
}

function otherThan(id: RolloutId, other: RolloutId | null): RolloutId | null {
  return other === id ? null : other;
}

export function foldRolloutPromoted(state: LedgerState, id: RolloutId): readonly Touched[] {
  return change(state, id, (rollout) => ({ ...rollout, promotedBatches: rollout.batches.length }));
}

/** Another plan. Hosts that go on keep their course, so that what was verified need not be verified again. */
export function foldRolloutPlanned(
  state: LedgerState,
  event: LedgerEvent,
  body: ActionOf<"rollout-planned">,
): readonly Touched[] {
  return change(state, body.rolloutId, (rollout) => {
    const kept = new Set(body.keep);
    const known = rollout.hosts.map((progress): HostProgress => {
      const isFresh = isNamedIn(body.plan.hosts, progress.hostId) && !kept.has(progress.hostId);
      return isFresh ? { ...progress, course: { kind: "planned" } } : progress;
    });
    const others = body.plan.hosts.filter(({ hostId }) => !isNamedIn(known, hostId) && !kept.has(hostId));
    const hosts = [...known, ...others.map((planned) => untouched(event, planned))];
    return { ...rollout, plan: body.plan, hosts, resumedAtMs: event.elapsedMs };
  });
}

/** A host that matched only after the rollout was created. */
function untouched(event: LedgerEvent, { hostId, from }: PlannedHost): HostProgress {
  return {
    hostId,
    from,
    course: { kind: "planned" },
    phase: "pending",
    phaseSinceMs: event.elapsedMs,
    phaseSinceAt: event.at,
    batch: null,
    timings: {},
  };
}

export function foldBatchStarted(
  state: LedgerState,
  event: LedgerEvent,
  body: ActionOf<"batch-started">,
): readonly Touched[] {
  return change(state, body.rolloutId, (rollout) => ({
    ...changeHosts(rollout, body.hosts, (progress) => ({
      ...progress,
      batch: rollout.batches.length,
      timings: {},
      course: { kind: "going", sinceRevision: event.sequence, failure: null, back: null },
    })),
    batches: [
      ...rollout.batches,
      {
        hosts: body.hosts,
        planned: body.planned,
        startedAtMs: event.elapsedMs,
        finishedAtMs: null,
        turnoverMs: {},
        edgeVerifyMs: 0,
      },
    ],
  }));
}

export function foldBatchFinished(
  state: LedgerState,
  event: LedgerEvent,
  body: ActionOf<"batch-finished">,
): readonly Touched[] {
  return change(state, body.rolloutId, (rollout) => ({
    ...rollout,
    batches: rollout.batches.map((batch, index) =>
      index === body.batch ? { ...batch, finishedAtMs: event.elapsedMs } : batch,
    ),
  }));
}

/** A failed host goes to `back`; without one it is left as it is: one that was never touched still serves its `from`. */
export function foldHostFailed(
  state: LedgerState,
  event: LedgerEvent,
  body: ActionOf<"host-failed">,
): readonly Touched[] {
  return change(state, body.rolloutId, (rollout) => {
    const { back, failure } = body;
    const planned = entryOf(rollout.plan.hosts, body.hostId);
    const counted = body.counts && !rollout.failed.includes(body.hostId);
    const edited = changeHosts(rollout, [body.hostId], (progress) => {
      const on = progress.course.kind === "planned" ? (planned?.from?.id ?? null) : null;
      const course: HostProgress["course"] = back
        ? { kind: "going", sinceRevision: event.sequence, failure, back }
        : { kind: "settled", on, failure, atMs: event.elapsedMs };
      return { ...progress, course };
    });
    return counted ? { ...edited, failed: [...edited.failed, body.hostId] } : edited;
  });
}

export function foldHostSettled(
  state: LedgerState,
  event: LedgerEvent,
  body: ActionOf<"host-settled">,
): readonly Touched[] {
  return change(state, body.rolloutId, (rollout) =>
    changeHosts(rollout, [body.hostId], (progress) => ({
      ...progress,
      course: {
        kind: "settled",
        on: body.on?.id ?? null,
        failure: progress.course.kind === "planned" ? null : progress.course.failure,
        atMs: event.elapsedMs,
      },
    })),
  );
}

export function foldHookStarted(
  state: LedgerState,
  event: LedgerEvent,
  { rolloutId, hostId }: ActionOf<"rollout-hook-started">,
): readonly Touched[] {
  const since = { sinceMs: event.elapsedMs, sinceRevision: event.sequence };
  return change(state, rolloutId, (rollout) => ({
    ...rollout,
    beforeRollout: { kind: "running", hostId, ...since },
  }));
}

export function foldHookEnded(
  state: LedgerState,
  event: LedgerEvent,
  body: ActionOf<"rollout-hook-ended">,
): readonly Touched[] {
  return change(state, body.rolloutId, (rollout) => ({
    ...rollout,
    beforeRollout: hookAfter(rollout, event, body),
  }));
}

function hookAfter(
  { beforeRollout: before }: RolloutRecord,
  { sequence, elapsedMs: atMs }: LedgerEvent,
  { hostId, outcome, failure: said }: ActionOf<"rollout-hook-ended">,
): RolloutHook {
  const failure = said ?? { code: "hook-failed", message: "it failed without a reason" };
  const sinceRevision = before && "sinceRevision" in before ? before.sinceRevision : sequence;
  switch (outcome) {
    case "done":
      return { kind: "done", hostId, atMs };
    case "failed":
      return { kind: "failed", hostId, failure, atMs };
    case "unknown":
      return { kind: "unknown", hostId, failure, sinceRevision, atMs, accepted: false };
    case "again":
      return { kind: "due" };
  }
}

export function foldPhaseChanged(
  state: LedgerState,
  event: LedgerEvent,
  body: ActionOf<"phase-changed">,
): readonly Touched[] {
  return change(state, body.rolloutId, (rollout) =>
    changeHosts(rollout, [body.hostId], (progress) => ({
      ...progress,
      phase: body.phase,
      phaseSinceMs: event.elapsedMs,
      phaseSinceAt: event.at,
    })),
  );
}

export function foldIntentSet(
  state: LedgerState,
  event: LedgerEvent,
  body: ActionOf<"intent-set">,
): readonly Touched[] {
  return change(state, body.rolloutId, (rollout) => {
    const resumed = body.intent === "forward";
    return {
      ...rollout,
      intent: body.intent,
      cause: body.cause,
      resumedAtMs: resumed ? event.elapsedMs : rollout.resumedAtMs,
      acceptedFailures: resumed ? rollout.failed.length : rollout.acceptedFailures,
      beforeRollout: resumed ? acceptedHook(rollout.beforeRollout) : rollout.beforeRollout,
    };
  });
}

/** A person has looked, and goes on. */
function acceptedHook(hook: RolloutRecord["beforeRollout"]): RolloutRecord["beforeRollout"] {
  return hook?.kind === "unknown" ? { ...hook, accepted: true } : hook;
}

export function foldStatusChanged(state: LedgerState, body: ActionOf<"status-changed">): readonly Touched[] {
  return change(state, body.rolloutId, (rollout) => ({
    ...rollout,
    status: body.status,
    waiting: body.waiting,
  }));
}

export function foldRolloutFinished(
  state: LedgerState,
  event: LedgerEvent,
  body: ActionOf<"rollout-finished">,
): readonly Touched[] {
  const touched = change(state, body.rolloutId, (rollout) => ({
    ...rollout,
    status: body.status,
    cause: body.cause,
    waiting: [],
    finishedAt: event.at,
    reloads: reloadsSince(state, rollout),
  }));
  const rollout = state.rollouts.get(body.rolloutId);
  const service = rollout && state.services.get(rollout.service);
  if (!rollout || !service) return touched;
  state.services.set(rollout.service, {
    ...service,
    target: body.status === "succeeded" && isMove(rollout) ? rollout.to : service.target,
    activeRollout: otherThan(rollout.id, service.activeRollout),
    queuedRollout: otherThan(rollout.id, service.queuedRollout),
  });
  return [...touched, { table: "services", key: rollout.service }];
}

/** Reloads that each edge has made for the rollout's upstream since it began. */
export function reloadsSince(state: LedgerState, rollout: RolloutRecord): Record<HostId, number> {
  if (rollout.reloads) return rollout.reloads;
  const upstream = state.services.get(rollout.service)?.spec.edge.upstream ?? "";
  const reloads: Record<HostId, number> = {};
  for (const [hostId, host] of state.hosts) {
    const now = host.upstreams[upstream]?.reloads;
    if (now !== undefined) reloads[hostId] = Math.max(0, now - (rollout.reloadsBefore[hostId] ?? 0));
  }
  return reloads;
}
