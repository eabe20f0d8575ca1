import { batchSizeOf } from "../capacity.ts";
import type { StrategyRule } from "./batching.ts";

/** Hosts leave, update and rejoin batch by batch. */
export const rolling: StrategyRule<"rolling"> = (strategy, order, base) => {
  const { maxUnavailable } = strategy;
  const limit = maxUnavailable === null ? Number.POSITIVE_INFINITY : batchSizeOf(maxUnavailable, base);
  const size = Math.min(batchSizeOf(strategy.batchSize, base), limit);
  const count = Math.ceil(order.length / size);
  const batches = Array.from({ length: count }, (_, index) => order.slice(index * size, (index + 1) * size));
  return { batches, whole: false };
};
