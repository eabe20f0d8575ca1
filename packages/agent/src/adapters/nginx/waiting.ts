import { setTimeout as pause } from "node:timers/promises";

/** Asks again and again until the answer is yes or the time is up; returns the last answer. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  limits: { readonly everyMs: number; readonly withinMs: number },
): Promise<boolean> {
  const giveUpAt = performance.now() + limits.withinMs;
  for (;;) {
    if (await holds()) return true;
    if (performance.now() >= giveUpAt) return false;
    await pause(limits.everyMs);
  }
}
