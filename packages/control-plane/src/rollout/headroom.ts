import type { Member } from "@siding/shared/command";
import type { WaitingReason } from "@siding/shared/phases";
import { servingEverywhere } from "./capacity.ts";
import { hostIn, type Snapshot } from "./snapshot.ts";

/**
 * Load headroom (design section 2): those that stay carry the load of those that leave. Predicted load = measured load x
 * serving / (serving - batch); a host without a fresh sample counts as at the ceiling. Null where it fits.
 */
export function headroomRefusal(snapshot: Snapshot, next: readonly Member[]): WaitingReason | null {
  const { loadCeiling } = snapshot.spec.capacity;
  const serving = servingEverywhere(snapshot, snapshot.upstream.content.members);
  const remaining = servingEverywhere(snapshot, next);
  if (loadCeiling === null || remaining.length >= serving.length || remaining.length === 0) return null;
  const loads = serving.map((hostId) => hostIn(snapshot, hostId)?.load ?? loadCeiling);
  const measured = loads.reduce((sum, load) => sum + load, 0) / serving.length;
  const predicted = (measured * serving.length) / remaining.length;
  if (predicted <= loadCeiling) return null;
  const message = `${remaining.length} hosts would carry the load of ${serving.length}: ${percent(measured)} now, ${percent(predicted)} then, the ceiling is ${percent(loadCeiling)}`;
  return { code: "load-headroom", message };
}

/** In steps of five, so that a load that trembles is not another reason each time. */
function percent(share: number): string {
  return `${Math.round(share * 20) * 5} %`;
}
