/**
 * Every default of Siding in one block (design section 8). Durations in milliseconds.
 */
export const defaults = {
  /** An agent says that it lives this often … */
  beatIntervalMs: 10_000,
  /** … and is silent after this many beats in a row are missing. */
  lostAfterBeats: 3,
  batchSize: { kind: "count", count: 1 },
  minServing: { kind: "percent", percent: 50 },
  maxFailures: { kind: "count", count: 0 },
  onFailure: "rollback",
  verifyHoldMs: 0,
  bakeTimeMs: 0,
  health: { intervalMs: 500, timeoutMs: 2_000, rise: 2, graceMs: 30_000 },
  drain: { deadlineMs: 30_000, onDeadline: "proceed", others: "ignore" },
  stopGraceMs: 20_000,
  hookTimeoutMs: 60_000,
  stageDeadlineMs: 600_000,
  updateDeadlineMs: 120_000,
  edgeDeadlineMs: 120_000,
  balance: "round-robin",
} as const;
