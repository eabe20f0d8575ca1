import type { HostId } from "@siding/shared/ids";
import type { Strategy } from "@siding/shared/spec";
import { allAtOnce } from "./all-at-once.ts";
import type { Batching } from "./batching.ts";
import { inPlace } from "./in-place.ts";
import { rolling } from "./rolling.ts";

/** The one place that knows every strategy. */
export function batchingOf(strategy: Strategy, order: readonly HostId[], base: number): Batching {
  switch (strategy.kind) {
    case "rolling":
      return rolling(strategy, order, base);
    case "all-at-once":
      return allAtOnce(strategy, order, base);
    case "in-place":
      return inPlace(strategy, order, base);
  }
}
