import { HostHookName } from "@siding/shared/hooks";
import type { WaitingReason } from "@siding/shared/phases";
import type { BatchTimes, RolloutDocument } from "@siding/shared/rest";
import type { Strategy } from "@siding/shared/spec";
import type { Target } from "@siding/shared/target";
import { type Amount, formatAmount } from "@siding/shared/units";
import { reloadsSince } from "../ledger/fold-rollout.ts";
import { entryOf } from "../rollout/by-host.ts";
import { explain, storyOf } from "../rollout/explain.ts";
import { plannedHost } from "../rollout/plan.ts";
import type { HostProgress, RolloutRecord, StartedBatch } from "../rollout/record.ts";
import type { View } from "./document-view.ts";

/** A rollout as REST reads it. */
export function rolloutDocument(view: View, rollout: RolloutRecord): RolloutDocument {
  const { plan } = rollout;
  const from = new Map(rollout.hosts.flatMap(({ from }) => (from ? [[from.id, from]] : [])));
  return {
    id: rollout.id,
    service: rollout.service,
    purpose: rollout.purpose,
    from: [...from.values()].map(targetDocument),
    to: targetDocument(rollout.to),
    strategy: strategyDocument(rollout.strategy),
    status: rollout.status,
    ...(rollout.cause ? { cause: rollout.cause } : {}),
    plan: {
      batches: plan.batches,
      absent: plan.absent,
      minServing: plan.minServing,
      base: plan.base,
    },
    ...hookDocument(rollout),
    hosts: rollout.hosts.map((progress) => rolloutHost(rollout, progress)),
    batches: rollout.batches.map((batch, index) => batchTimes(rollout, batch, index)),
    waiting: rollout.waiting.map((reason) => waitingDocument(view, reason)),
    explanation: explain(rollout, view.nowMs),
    story: storyOf(rollout, view.nowMs),
    failures: rollout.failed.length,
    maxFailures: rollout.maxFailures,
    reloads: reloadsSince(view.state, rollout),
    swapSpreadMs: rollout.swapSpreadMs,
    ...(rollout.comment === null ? {} : { comment: rollout.comment }),
    createdAt: rollout.createdAt,
    createdBy: rollout.createdBy,
    ...(rollout.finishedAt === null ? {} : { finishedAt: rollout.finishedAt }),
  };
}

function hookDocument({ beforeRollout: hook, to }: RolloutRecord): Pick<RolloutDocument, "beforeRollout"> {
  if (hook === null) return {};
  const hostId = "hostId" in hook ? hook.hostId : (to.spec.hooks.beforeRollout?.host ?? null);
  const error = "failure" in hook ? { error: hook.failure } : {};
  return { beforeRollout: { hostId, status: hook.kind, ...error } };
}

function targetDocument({ id, release, specRevision }: Target): RolloutDocument["to"] {
  return { id, version: release.version, digest: release.digest, specRevision };
}

/** As a person writes it. */
function strategyDocument(strategy: Strategy): RolloutDocument["strategy"] {
  if (strategy.kind !== "rolling") return strategy;
  const { kind, batchSize, maxUnavailable, spread, allowDowntime } = strategy;
  return {
    kind,
    batchSize: amountDocument(batchSize),
    ...(maxUnavailable === null ? {} : { maxUnavailable: amountDocument(maxUnavailable) }),
    ...(spread === null ? {} : { spread }),
    ...(allowDowntime ? { allowDowntime } : {}),
  };
}

/** What can be sent back as it is: `2` or `"25%"`. */
function amountDocument(amount: Amount): number | string {
  return amount.kind === "count" ? amount.count : formatAmount(amount);
}

function rolloutHost(rollout: RolloutRecord, progress: HostProgress): RolloutDocument["hosts"][number] {
  const { hostId, course } = progress;
  const planned = plannedHost(rollout.plan, hostId);
  const failure = course.kind === "planned" ? null : course.failure;
  return {
    hostId,
    slot: planned?.slot ?? "blue",
    batch: progress.batch,
    phase: progress.phase,
    since: progress.phaseSinceAt,
    from: progress.from?.id ?? null,
    timings: progress.timings,
    ...(failure ? { error: failure } : {}),
  };
}

function waitingDocument(
  { clock }: View,
  { sinceMs, untilMs, code, message, hostId, more }: WaitingReason,
): RolloutDocument["waiting"][number] {
  return {
    code,
    message,
    ...(hostId === undefined ? {} : { hostId }),
    ...(sinceMs === undefined ? {} : { since: clock.wallAt(sinceMs) }),
    ...(untilMs === undefined ? {} : { until: clock.wallAt(untilMs) }),
    ...(more === undefined ? {} : { more }),
  };
}

/**
 * Where a batch's time went (design section 12): own time is what is left when every part that nginx, the service or
 * its clients need is taken off, each the longest that any of its hosts or edges measured.
 */
function batchTimes(rollout: RolloutRecord, batch: StartedBatch, index: number): BatchTimes {
  const longest = (part: string) =>
    Math.max(0, ...batch.hosts.map((hostId) => entryOf(rollout.hosts, hostId)?.timings[part] ?? 0));
  const parts = {
    turnoverMs: sum(Object.values(batch.turnoverMs)),
    drainMs: longest("drainMs"),
    stopMs: longest("stopMs"),
    startMs: longest("startMs"),
    verifyMs: Math.max(longest("verifyMs"), batch.edgeVerifyMs),
    ...hookTimes(longest),
  };
  const wallMs = batch.finishedAtMs === null ? null : batch.finishedAtMs - batch.startedAtMs;
  const ownMs = wallMs === null ? null : wallMs - sum(Object.values(parts));
  return { index, hosts: batch.hosts, wallMs, ownMs, parts };
}

/** The user's own programs are not our time either; a batch without any has no such part. */
function hookTimes(longest: (part: string) => number): Record<string, number> {
  const hooksMs = sum(HostHookName.options.map((name) => longest(`${name}Ms`)));
  return hooksMs === 0 ? {} : { hooksMs };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
