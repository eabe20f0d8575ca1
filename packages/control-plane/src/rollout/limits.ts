import { defaults } from "@siding/shared/defaults";

/** A report may come this much after the deadline that the agent itself keeps: it tells of its own failure first. */
export const reportMarginMs = 10_000;

/** Without any host moving for so long, a rollout that waits for capacity pauses (Nomad's progress deadline: 10 min). */
export const progressDeadlineMs = 600_000;

/** An edge that refused a revision is asked again this often: what was wrong there may have been mended. */
export const edgeRetryMs = 10_000;

/** A reload takes a tenth of a second: an edge that has not swapped by now leaves the others mixed with it for too long. */
export const swapDeadlineMs = 10_000;

/** A host may be silent this long before a rollout that needs it pauses. */
export const silenceDeadlineMs = defaults.updateDeadlineMs;
