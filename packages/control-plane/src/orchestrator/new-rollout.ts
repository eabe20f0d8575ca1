import type { Target } from "@siding/shared/target";
import type { LedgerState, ServiceRecord } from "../ledger/state.ts";
import { baseOf, maxFailuresOf } from "../rollout/capacity.ts";
import type { Plan } from "../rollout/plan.ts";
import type { HostProgress, RolloutRecord } from "../rollout/record.ts";
import type { Snapshot } from "../rollout/snapshot.ts";
import type { AdmitContext, Wish } from "./wish.ts";

/** What is settled before there is a rollout: where it goes, and by which plan. */
export interface Settled {
  readonly purpose: RolloutRecord["purpose"];
  readonly to: Target;
  readonly plan: Plan;
  readonly strategy: RolloutRecord["strategy"];
  readonly snapshot: Snapshot;
  /** Due where the target has such a hook and this rollout is to run it. */
  readonly beforeRollout: RolloutRecord["beforeRollout"];
}

/** The record of a rollout before its first step, with what the request leaves out taken from the spec. */
export function newRollout(
  { spec }: ServiceRecord,
  body: Wish["options"],
  { id, by, at, nowMs }: AdmitContext,
  { to, plan, strategy, snapshot, purpose, beforeRollout }: Settled,
): RolloutRecord {
  const size = Math.max(baseOf(snapshot).length, plan.hosts.length);
  return {
    id,
    service: spec.name,
    origin: "person",
    purpose,
    to,
    strategy,
    onFailure: body.onFailure ?? spec.onFailure,
    maxFailures: maxFailuresOf(body.maxFailures ?? spec.maxFailures, size),
    verifyHoldMs: body.verifyHold ?? spec.verifyHoldMs,
    bakeTimeMs: body.bakeTime ?? spec.bakeTimeMs,
    plan,
    intent: "forward",
    cause: null,
    resumedAtMs: nowMs,
    acceptedFailures: 0,
    failed: [],
    promotedBatches: 0,
    hosts: progressOf(plan, at, nowMs),
    batches: [],
    status: "pending",
    waiting: [],
    comment: body.comment ?? null,
    createdAt: at,
    createdAtMs: nowMs,
    createdBy: by,
    finishedAt: null,
    reloadsBefore: {},
    reloads: null,
    swapSpreadMs: null,
    beforeRollout,
  };
}

/** Every host of the plan before its first step. */
export function progressOf(plan: Plan, at: string, nowMs: number): RolloutRecord["hosts"] {
  const progress: Omit<HostProgress, "hostId" | "from"> = {
    course: { kind: "planned" },
    phase: "pending",
    phaseSinceMs: nowMs,
    phaseSinceAt: at,
    batch: null,
    timings: {},
  };
  return plan.hosts.map(({ hostId, from }) => ({ ...progress, hostId, from }));
}

export function dueHook({ spec }: Target): RolloutRecord["beforeRollout"] {
  return spec.hooks.beforeRollout === undefined ? null : { kind: "due" };
}

/** How often each edge has reloaded for this upstream so far: what a rollout costs is counted from there. */
export function edgeReloads(state: LedgerState, snapshot: Snapshot): RolloutRecord["reloadsBefore"] {
  const reloads: RolloutRecord["reloadsBefore"] = {};
  for (const { hostId } of snapshot.edges) {
    reloads[hostId] = state.hosts.get(hostId)?.upstreams[snapshot.upstream.name]?.reloads ?? 0;
  }
  return reloads;
}
