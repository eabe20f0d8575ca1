import { readFileSync } from "node:fs";
import type { Clock } from "../../ports/clock.ts";

/** Node's timers count 32 bits; a longer wait is taken in pieces. */
const longestTimerMs = 2 ** 31 - 1;

/** CLOCK_MONOTONIC, in whole milliseconds: one clock for every process of this boot. */
export const bootClock: Clock = {
  nowMs: () => Number(process.hrtime.bigint() / 1_000_000n),
  wakeAt(atMs, callback) {
    // Rounded up: a timer that fires early would find nothing due and be set again.
    const delayMs = Math.min(longestTimerMs, Math.max(0, atMs - bootClock.nowMs()));
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Names this boot, and with it the clock. */
export function readBootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}
