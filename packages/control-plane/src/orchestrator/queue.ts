import type { RolloutId } from "@siding/shared/ids";
import { ok, type Result } from "@siding/shared/result";
import type { Target } from "@siding/shared/target";
import type { LiveFleet } from "../fleet/live.ts";
import { snapshotOf } from "../fleet/snapshot.ts";
import type { EventBody } from "../ledger/event.ts";
import type { LedgerState, ServiceRecord } from "../ledger/state.ts";
import type { Plan } from "../rollout/plan.ts";
import { planAnew } from "../rollout/planning.ts";
import type { RolloutRecord } from "../rollout/record.ts";
import { givesWay } from "./holds.ts";
import { edgeReloads, progressOf } from "./new-rollout.ts";
import { refusalsOf } from "./plan-refusals.ts";
import type { Refusal } from "./refusal.ts";
import { commonTarget } from "./restart-target.ts";

/** Rule 7: one rollout of a service at a time, unless the next one may wait. */
export function busyWith(
  state: LedgerState,
  { activeRollout }: ServiceRecord,
  queue: boolean,
): Refusal | null {
  if (!activeRollout || queue || isGivingWay(state, activeRollout)) return null;
  return inProgress(state, activeRollout);
}

export function inProgress(state: LedgerState, id: RolloutId): Refusal {
  const other = state.rollouts.get(id);
  const what = other ? `${other.to.release.version}, ${other.status}` : "unknown";
  const message = `rollout ${id} (${what}) is not finished; wait for it, abort it or roll it back. One rollout per service at a time`;
  return { code: "rollout-in-progress", message };
}

/** What the fleet does of itself between rollouts makes room for a person's. */
export function isGivingWay(state: LedgerState, id: RolloutId): boolean {
  return state.rollouts.get(id)?.origin === "reconciler";
}

/** What the fleet does of itself never keeps a person waiting for longer than its step in hand. */
export function endConverging(state: LedgerState, id: RolloutId): readonly EventBody[] {
  if (state.rollouts.get(id)?.intent === "abort") return [];
  const cause = { code: givesWay, message: "gives way to a rollout of a person" };
  return [{ type: "intent-set", rolloutId: id, intent: "abort", cause }];
}

/** What a rollout that waits its turn says of itself. */
export function queuedBehind(active: RolloutId) {
  const waiting = [{ code: "queued" as const, message: `waits for rollout ${active} to end` }];
  return { status: "queued" as const, waiting };
}

/** One waits at most: a later one takes its place. */
export function superseded({ queuedRollout }: ServiceRecord, rollout: RolloutRecord): readonly EventBody[] {
  if (!queuedRollout || rollout.status !== "queued") return [];
  const cause = { code: "superseded", message: `rollout ${rollout.id} took its place in the queue` };
  return [{ type: "rollout-finished", rolloutId: queuedRollout, status: "aborted", cause }];
}

/**
 * The turn of a queued rollout has come: it is looked at anew, as the fleet is now, and ends here where it would be
 * refused. Empty where none waits, or another one still runs.
 */
export function startQueued(
  state: LedgerState,
  live: LiveFleet,
  record: ServiceRecord,
  nowMs: number,
): readonly EventBody[] {
  const rollout = record.queuedRollout && state.rollouts.get(record.queuedRollout);
  if (!rollout || record.activeRollout || state.behind !== null) return [];
  const snapshot = snapshotOf(state, live, record.spec.name, nowMs);
  if (!snapshot) return [];
  const plan = planAnew(snapshot, rollout, null);
  const to = targetOf(rollout, plan);
  if (!to.ok) return refusedByNow(rollout, to.error);
  const [refusal] = refusalsOf(snapshot, plan, rollout);
  if (refusal) return refusedByNow(rollout, refusal);
  const started: RolloutRecord = {
    ...rollout,
    to: to.value,
    plan,
    hosts: progressOf(plan, rollout.createdAt, nowMs),
    status: "pending",
    waiting: [],
    resumedAtMs: nowMs,
    reloadsBefore: edgeReloads(state, snapshot),
  };
  return [{ type: "rollout-started", rollout: started }];
}

function refusedByNow({ id }: RolloutRecord, { code, message }: Refusal): readonly EventBody[] {
  const cause = { code, message: `when its turn came: ${message}` };
  return [{ type: "rollout-finished", rolloutId: id, status: "failed", cause }];
}

/** A restart is of what its hosts serve by now, whatever they served when it was asked for. */
function targetOf({ purpose, service, to }: RolloutRecord, plan: Plan): Result<Target, Refusal> {
  if (purpose !== "restart" || plan.hosts.length === 0) return ok(to);
  return commonTarget(
    service,
    plan.hosts.map(({ goal }) => goal),
  );
}
