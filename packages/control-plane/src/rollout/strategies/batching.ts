import type { HostId } from "@siding/shared/ids";
import type { Strategy } from "@siding/shared/spec";

/** The part of a plan that a strategy decides: who may be out together, in which order. */
export interface Batching {
  readonly batches: readonly (readonly HostId[])[];
  /** A batch is taken whole, and joins only in the reload in which the next one leaves. */
  readonly whole: boolean;
}

/** Batches for these hosts, in this order, of a service over whose `base` hosts capacity is counted. */
export type StrategyRule<Kind extends Strategy["kind"]> = (
  strategy: Extract<Strategy, { kind: Kind }>,
  order: readonly HostId[],
  base: number,
) => Batching;
