import type { StrategyRule } from "./batching.ts";

/** Everything at once: the service is down for as long as its slowest host takes. */
export const allAtOnce: StrategyRule<"all-at-once"> = (_strategy, order) => ({
  batches: order.length > 0 ? [order] : [],
  whole: false,
});
