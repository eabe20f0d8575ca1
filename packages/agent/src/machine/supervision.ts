import type { StepFailure } from "@siding/shared/report";
import type { Instance, Supervision } from "./state.ts";

/** The first restart comes soon, since most ends are accidents … */
const firstBackoffMs = 250;
/** … and a service that can't run is not tried more often than this. */
const longestBackoffMs = 30_000;
/** A process that lived this long was well: its end counts as the first one again. */
const wellAfterMs = 60_000;

export const freshSupervision: Supervision = {
  recovering: false,
  restarts: 0,
  notBeforeMs: 0,
  startFailure: null,
};

/**
 * Whether what is wanted and missing is started now: at once where this wish was never begun, and again, after a
 * while, where it has served before or where the agent itself was away when it ended.
 */
export function mayStart(instance: Instance, nowMs: number): boolean {
  return willStart(instance) && (neverBegun(instance) || nowMs >= instance.supervision.notBeforeMs);
}

/** Whether what is missing comes back without another command. */
export function willStart({ journal: { wanted }, supervision }: Instance): boolean {
  return wanted !== null && (wanted.startId === null || wanted.proven || supervision.recovering);
}

export function supervisionWakeAtMs(instance: Instance): number | null {
  if (instance.process.kind !== "absent" || !willStart(instance)) return null;
  return neverBegun(instance) ? null : instance.supervision.notBeforeMs;
}

function neverBegun({ journal }: Instance): boolean {
  return journal.wanted?.startId === null;
}

export function afterStart(supervision: Supervision): Supervision {
  return { ...supervision, recovering: false };
}

export function afterExit(
  supervision: Supervision,
  livedMs: number,
  nowMs: number,
  startFailure: StepFailure | null,
): Supervision {
  const restarts = livedMs >= wellAfterMs ? 0 : supervision.restarts;
  const backoffMs = Math.min(longestBackoffMs, firstBackoffMs * 2 ** restarts);
  return { recovering: false, restarts: restarts + 1, notBeforeMs: nowMs + backoffMs, startFailure };
}
