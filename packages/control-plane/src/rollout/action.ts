import { InstanceCommandBody, UpstreamContent } from "@siding/shared/command";
import { HostId, RolloutId, ServiceName, Slot } from "@siding/shared/ids";
import { HostPhase, RolloutStatus, WaitingReason } from "@siding/shared/phases";
import { StepFailure } from "@siding/shared/report";
import { Target } from "@siding/shared/target";
import { z } from "zod";
import { Plan } from "./plan.ts";
import { Cause, Intent } from "./record.ts";

/**
 * What a decision wants done. Each action is committed to the ledger as the event of the same name; its sequence there
 * is the revision of what it says, so the core never invents a number.
 */
export const Action = z.discriminatedUnion("type", [
  /** Another plan replaces the present one. Hosts in `keep` go on from where they are; others start as planned. */
  z.object({ type: z.literal("rollout-planned"), rolloutId: RolloutId, plan: Plan, keep: z.array(HostId) }),
  /** Hosts leave traffic with the upstream revision of the same decision. `planned`: what the plan would have allowed. */
  z.object({
    type: z.literal("batch-started"),
    rolloutId: RolloutId,
    hosts: z.array(HostId),
    planned: z.int(),
  }),
  z.object({ type: z.literal("batch-finished"), rolloutId: RolloutId, batch: z.int() }),
  /**
   * A new revision of an upstream, for every edge of the service. `together`: the halves of in-place
   * change places with it; these edges prepare it, and it is committed when all of them have.
   */
  z.object({
    type: z.literal("upstream-revised"),
    service: ServiceName,
    content: UpstreamContent,
    together: z.array(HostId).optional(),
  }),
  z.object({
    type: z.literal("command-issued"),
    rolloutId: RolloutId,
    hostId: HostId,
    service: ServiceName,
    slot: Slot,
    body: InstanceCommandBody,
    deadlineMs: z.int(),
  }),
  z.object({
    type: z.literal("host-failed"),
    rolloutId: RolloutId,
    hostId: HostId,
    phase: HostPhase,
    failure: StepFailure,
    /** False for a host that could not be asked: unknown is not down, so it spends no budget. */
    counts: z.boolean(),
    /** Where the host goes instead; null where it is left as it is. */
    back: Target.nullable(),
  }),
  /** Nothing more is done to the host in this plan; `on` is the target that it serves, null when it is left out. */
  z.object({
    type: z.literal("host-settled"),
    rolloutId: RolloutId,
    hostId: HostId,
    slot: Slot,
    on: Target.nullable(),
  }),
  /** The hook that runs once is begun on this host: on record before its command is. */
  z.object({ type: z.literal("rollout-hook-started"), rolloutId: RolloutId, hostId: HostId }),
  /** `again`: it never began, or may run twice; it is due once more. */
  z.object({
    type: z.literal("rollout-hook-ended"),
    rolloutId: RolloutId,
    hostId: HostId,
    outcome: z.enum(["done", "failed", "unknown", "again"]),
    failure: StepFailure.nullable(),
  }),
  z.object({ type: z.literal("phase-changed"), rolloutId: RolloutId, hostId: HostId, phase: HostPhase }),
  z.object({ type: z.literal("intent-set"), rolloutId: RolloutId, intent: Intent, cause: Cause.nullable() }),
  z.object({
    type: z.literal("status-changed"),
    rolloutId: RolloutId,
    status: RolloutStatus,
    waiting: z.array(WaitingReason),
  }),
  z.object({
    type: z.literal("rollout-finished"),
    rolloutId: RolloutId,
    status: RolloutStatus,
    cause: Cause.nullable(),
  }),
]);
export type Action = z.infer<typeof Action>;
export type ActionOf<Type extends Action["type"]> = Extract<Action, { type: Type }>;

/** What the core says at one instant: do these, these are the reasons why nothing else happens, ask again then. */
export interface Decision {
  readonly actions: readonly Action[];
  readonly waiting: readonly WaitingReason[];
  /** On the ledger's clock; null when only a report can change anything. */
  readonly wakeAtMs: number | null;
  readonly status: RolloutStatus;
}
