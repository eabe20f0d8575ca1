import { HostId, Slot } from "@siding/shared/ids";
import { Target } from "@siding/shared/target";
import { z } from "zod";
import { entryOf } from "./by-host.ts";

/**
 * One host's part in a plan: where it goes and where it came from. `goal: null`: it is left where it is. `restart`: it is
 * stopped and started there although it runs its goal.
 */
export const PlannedHost = z.object({
  hostId: HostId,
  slot: Slot,
  goal: Target.nullable(),
  from: Target.nullable(),
  restart: z.literal(true).optional(),
});
export type PlannedHost = z.infer<typeof PlannedHost>;

/**
 * An immutable plan: order and largest batches. A plan is never changed; another one that names it as its parent
 * replaces it (source of the rule: omicron's Reconfigurator).
 *
 * - `forward`: to the rollout's target.
 * - `return`: abort and stop give the batch in hand back.
 * - `rollback`: every changed instance goes to its own `from`.
 */
export const Plan = z.object({
  id: z.int(),
  parent: z.int().nullable(),
  kind: z.enum(["forward", "return", "rollback"]),
  /** True for in-place: a batch is taken whole, and joins only together with the leaving of the next. */
  whole: z.boolean(),
  batches: z.array(z.array(HostId)),
  hosts: z.array(PlannedHost),
  /** Hosts that could not be commanded when the plan was made: delisted first, not updated. */
  absent: z.array(HostId),
  /** Passed over, because a person held them out when it was made. */
  held: z.array(HostId).default([]),
  /** As the plan was made: hosts that have served, and the least that must go on serving. */
  base: z.int(),
  minServing: z.int(),
  /** `maxUnavailable` in hosts; null where only the batch size bounds. */
  maxUnavailable: z.int().nullable(),
  /** The operator accepts that nothing serves for a moment: the minimum does not hold. */
  allowsDowntime: z.boolean(),
});
export type Plan = z.infer<typeof Plan>;

export function plannedHost(plan: Plan, hostId: HostId): PlannedHost | undefined {
  return entryOf(plan.hosts, hostId);
}
