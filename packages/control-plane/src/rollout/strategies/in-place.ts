import type { StrategyRule } from "./batching.ts";

/** Two halves: one is updated apart, then one reload swaps it in and the other out. */
export const inPlace: StrategyRule<"in-place"> = (_strategy, order) => {
  const middle = Math.floor(order.length / 2);
  const halves = [order.slice(0, middle), order.slice(middle)];
  return { batches: halves.filter((half) => half.length > 0), whole: true };
};
