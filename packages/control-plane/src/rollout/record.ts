import { HostId, RolloutId, ServiceName, TargetId } from "@siding/shared/ids";
import { HostPhase, RolloutStatus, WaitingReason } from "@siding/shared/phases";
import { StepFailure } from "@siding/shared/report";
import { OnFailure, Strategy } from "@siding/shared/spec";
import { Target } from "@siding/shared/target";
import { z } from "zod";
import { Plan } from "./plan.ts";

/** Why a rollout does not simply go on: a code for programs, a text for people. */
export const Cause = z.object({ code: z.string(), message: z.string() });
export type Cause = z.infer<typeof Cause>;

/** What is wanted of a rollout: by its strategy, a person or a failure. */
export const Intent = z.enum(["forward", "pause", "abort", "stop", "rollback"]);
export type Intent = z.infer<typeof Intent>;

/**
 * How far a host has come in a plan.
 *
 * - `planned`: untouched by this plan.
 * - `going`: its batch has started; after a failure it goes to `back`.
 * - `settled`: nothing more is done to it. `on` is what it serves, null when it is left out of traffic.
 */
export const Course = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("planned") }),
  z.object({
    kind: z.literal("going"),
    sinceRevision: z.int(),
    failure: StepFailure.nullable(),
    back: Target.nullable(),
  }),
  z.object({
    kind: z.literal("settled"),
    on: TargetId.nullable(),
    failure: StepFailure.nullable(),
    atMs: z.number(),
  }),
]);
export type Course = z.infer<typeof Course>;

/** How far one host has come, and since when. */
export const HostProgress = z.object({
  hostId: HostId,
  /** What it served when the rollout began. */
  from: Target.nullable(),
  course: Course,
  phase: HostPhase,
  phaseSinceMs: z.number(),
  phaseSinceAt: z.string(),
  /** Index of the started batch that it was in, counted over the whole rollout. */
  batch: z.int().nullable(),
  /** Longest time of each part, as the host's agent measured it. */
  timings: z.record(z.string(), z.number()),
});
export type HostProgress = z.infer<typeof HostProgress>;

/** Ledgers of before have an object by host here. */
function listedProgress(written: unknown): unknown {
  if (typeof written !== "object" || written === null || Array.isArray(written)) return written;
  return Object.entries(written as Record<string, object>).map(([hostId, progress]) => ({
    hostId,
    ...progress,
  }));
}

/** A batch that was started: for the arithmetic of own time. */
export const StartedBatch = z.object({
  hosts: z.array(HostId),
  /** Largest size that the plan allowed; more than `hosts` where it had to shrink. */
  planned: z.int(),
  startedAtMs: z.number(),
  finishedAtMs: z.number().nullable(),
  /** Longest turnover of nginx on any edge, by the revision that caused it. */
  turnoverMs: z.record(z.string(), z.number()),
  /** Longest time from an edge's first probe to its verdict. */
  edgeVerifyMs: z.number(),
});
export type StartedBatch = z.infer<typeof StartedBatch>;

/**
 * Where the hook stands that runs once, before anything changes. `unknown`: nobody knows how it ended; it is never run
 * again, and when a person resumes it counts as done (`accepted`).
 */
export const RolloutHook = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("due") }),
  z.object({
    kind: z.literal("running"),
    hostId: HostId,
    sinceMs: z.number(),
    /** That of its start: its command has a higher one. */
    sinceRevision: z.int(),
  }),
  z.object({ kind: z.literal("done"), hostId: HostId, atMs: z.number() }),
  z.object({ kind: z.literal("failed"), hostId: HostId, failure: StepFailure, atMs: z.number() }),
  z.object({
    kind: z.literal("unknown"),
    hostId: HostId,
    failure: StepFailure,
    sinceRevision: z.int(),
    atMs: z.number(),
    accepted: z.boolean(),
  }),
]);
export type RolloutHook = z.infer<typeof RolloutHook>;

/** A rollout as the ledger knows it: the memory that `advance` works on. */
export const RolloutRecord = z.object({
  id: RolloutId,
  service: ServiceName,
  /** Who wanted it: a person, or the reconciler that converges the fleet between rollouts. */
  origin: z.enum(["person", "reconciler"]),
  /**
   * `restart`: hosts run again what they run. `bring-in` and `take-out` are the reconciler's: one host joins, or leaves
   * because a person holds it.
   */
  purpose: z.enum(["rollout", "restart", "bring-in", "take-out"]).default("rollout"),
  to: Target,
  strategy: Strategy,
  onFailure: OnFailure,
  maxFailures: z.int(),
  verifyHoldMs: z.int(),
  bakeTimeMs: z.int(),
  plan: Plan,
  intent: Intent,
  cause: Cause.nullable(),
  /** Ledger clock of the newest resume: overdue is counted from here anew. */
  resumedAtMs: z.number(),
  /** Failures that a person has accepted by resuming. */
  acceptedFailures: z.int(),
  /** Hosts that failed, over the whole rollout. */
  failed: z.array(HostId),
  /** Started batches whose bake was cut short by a person. */
  promotedBatches: z.int(),
  /** In the order of its plans, each host once. */
  hosts: z.preprocess(listedProgress, z.array(HostProgress).readonly()),
  batches: z.array(StartedBatch),
  status: RolloutStatus,
  /** The reasons of the newest decision. */
  waiting: z.array(WaitingReason),
  comment: z.string().nullable(),
  createdAt: z.string(),
  createdAtMs: z.number(),
  createdBy: z.string(),
  finishedAt: z.string().nullable(),
  /** Reloads of each edge when the rollout began; what it has caused is the difference. */
  reloadsBefore: z.record(HostId, z.int()),
  /** The difference at its end. */
  reloads: z.record(HostId, z.int()).nullable(),
  /** In-place over several edges: how long they were mixed, from the first that served the swap to the last. */
  swapSpreadMs: z.number().nullable().default(null),
  /** Null: the target has no such hook, or this rollout does not run it. */
  beforeRollout: RolloutHook.nullable().default(null),
});
export type RolloutRecord = z.infer<typeof RolloutRecord>;

/** More hosts have failed than was allowed, and than a person has accepted by resuming. */
export function isBudgetSpent({ failed, maxFailures, acceptedFailures }: RolloutRecord): boolean {
  return failed.length > Math.max(maxFailures, acceptedFailures);
}

/** A person's rollout to a target: only that says what the service is to serve. */
export function isMove({ origin, purpose }: RolloutRecord): boolean {
  return origin === "person" && purpose === "rollout";
}
