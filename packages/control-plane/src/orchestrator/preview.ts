import { HostHookName } from "@siding/shared/hooks";
import type { ServiceName } from "@siding/shared/ids";
import type { PreviewDocument, RolloutBody } from "@siding/shared/rest";
import { err, ok, type Result } from "@siding/shared/result";
import type { Target } from "@siding/shared/target";
import type { LiveFleet } from "../fleet/live.ts";
import { snapshotOf } from "../fleet/snapshot.ts";
import type { LedgerState } from "../ledger/state.ts";
import { baseOf, servingNow } from "../rollout/capacity.ts";
import type { Plan } from "../rollout/plan.ts";
import { forwardPlan } from "../rollout/planning.ts";
import type { RolloutRecord } from "../rollout/record.ts";
import { dueHook } from "./new-rollout.ts";
import { refusalsOf } from "./plan-refusals.ts";
import { inProgress } from "./queue.ts";
import { type Refusal, unknownService } from "./refusal.ts";
import { wishOf } from "./wish.ts";

/**
 * What a rollout would do, without doing it: the plan is made by the code that makes the real one, on the fleet as it is
 * now. A rollout that would be refused is previewed too, with every reason.
 */
export function previewRollout(
  state: LedgerState,
  live: LiveFleet,
  service: ServiceName,
  body: RolloutBody,
  nowMs: number,
): Result<PreviewDocument, Refusal> {
  const record = state.services.get(service);
  const snapshot = snapshotOf(state, live, service, nowMs);
  if (!record || !snapshot) return err(unknownService(service));
  const wish = wishOf(state, record, body);
  if (!wish.ok) return wish;
  const { to, strategy } = wish.value;
  const plan = forwardPlan(snapshot, { to, strategy }, null, []);
  const running = record.activeRollout ? [inProgress(state, record.activeRollout)] : [];
  const refusals = [...running, ...refusalsOf(snapshot, plan, { to, beforeRollout: dueHook(to) })];
  const { release, specRevision, id } = to;
  const gated = (body.bakeTime ?? record.spec.bakeTimeMs) > 0 && !plan.whole;
  return ok({
    service,
    to: { id, version: release.version, digest: release.digest, specRevision },
    strategy: strategy.kind,
    plan: {
      batches: plan.batches,
      absent: plan.absent,
      minServing: plan.minServing,
      base: plan.base,
    },
    servingNow: plan.base === 0 ? 0 : servingNow(snapshot),
    lowestServing: lowestServing(plan, new Set(baseOf(snapshot).map((host) => host.hostId))),
    reloadsPerEdge: reloadsOf(plan.batches.length, gated),
    predictedMs: predictedMs(state, service, plan.batches.length),
    hooks: hooksOf(to, plan),
    refusals: refusals.map(({ code, message }) => ({ code, message })),
  });
}

/** In the order in which they are run. */
function hooksOf({ spec: { hooks } }: Target, plan: Plan): PreviewDocument["hooks"] {
  const { beforeRollout: once } = hooks;
  const first = once?.host ?? plan.hosts[0]?.hostId;
  const before =
    once && first
      ? [{ hook: "beforeRollout" as const, on: `${first}, once`, timeoutMs: once.timeoutMs }]
      : [];
  const around = HostHookName.options.flatMap((hook) => {
    if (hook === "beforeDrain") return leavingHook(plan);
    const timeoutMs = hooks[hook]?.timeoutMs;
    return timeoutMs === undefined ? [] : [{ hook, on: "each host", timeoutMs }];
  });
  return [...before, ...around];
}

/** What runs before a drain is of the release that leaves: of some hosts it may be none, or another one. */
function leavingHook({ hosts }: Plan): PreviewDocument["hooks"] {
  const leaving = hosts.flatMap(({ hostId, from }) => {
    const timeoutMs = from?.spec.hooks.beforeDrain?.timeoutMs;
    return timeoutMs === undefined ? [] : [{ hostId, timeoutMs }];
  });
  if (leaving.length === 0) return [];
  const isEach = leaving.length === hosts.length;
  const on = isEach ? "each host" : leaving.map(({ hostId }) => hostId).join(", ");
  return [{ hook: "beforeDrain", on, timeoutMs: Math.max(...leaving.map(({ timeoutMs }) => timeoutMs)) }];
}

/** The fewest that serve while the largest batch is out, if nothing else happens. */
function lowestServing(plan: Plan, base: ReadonlySet<string>): number {
  const costs = plan.batches.map((batch) => batch.filter((hostId) => base.has(hostId)).length);
  const absent = plan.absent.filter((hostId) => base.has(hostId)).length;
  return Math.max(0, base.size - absent - Math.max(0, ...costs));
}

/** The batch that comes in and the one that goes out share a reload where no gate stands between. */
function reloadsOf(batches: number, gated: boolean): number {
  if (batches === 0) return 0;
  return gated ? 2 * batches : batches + 1;
}

/** From the service's newest succeeded rollouts: the middle time of their batches. Null without any. */
const historyRollouts = 5;

function predictedMs(state: LedgerState, service: ServiceName, batches: number): number | null {
  const finished = [...state.rollouts.values()]
    .filter((rollout) => rollout.service === service && rollout.status === "succeeded")
    .toSorted((left, right) => right.createdAtMs - left.createdAtMs)
    .slice(0, historyRollouts);
  const times = finished.flatMap(batchTimes).toSorted((left, right) => left - right);
  const middle = times[Math.floor(times.length / 2)];
  return middle === undefined ? null : Math.round(middle * batches);
}

function batchTimes({ batches }: RolloutRecord): readonly number[] {
  return batches.flatMap((batch) =>
    batch.finishedAtMs === null ? [] : batch.finishedAtMs - batch.startedAtMs,
  );
}
