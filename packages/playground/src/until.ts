import { setTimeout as pause } from "node:timers/promises";
import { messageOf } from "@siding/shared/result";

/** Between two looks at a condition: far below what anybody waits for. */
const POLL_MS = 10;

/** What was awaited did not come. `cause` is the last error of looking, where looking failed. */
export class UntilError extends Error {
  override readonly name = "UntilError";
}

/**
 * Waits for a state instead of a time: looks until `condition` gives something truthy, and gives that.
 * A condition that throws does not hold yet. Errors: {@link UntilError} at the deadline, naming `what`.
 *
 * @param what completes "waited 500 ms for …"
 */
export async function until<T>(
  what: string,
  condition: () => Promise<T> | T,
  deadlineMs: number,
): Promise<NonNullable<T>> {
  const startedMs = performance.now();
  let cause: unknown;
  for (;;) {
    const lookedMs = performance.now();
    try {
      const value = await condition();
      if (value) return value;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() - startedMs > deadlineMs) break;
    // On a busy machine a question to the control plane takes long: whoever waits shall not be what it is busy with.
    await pause(Math.max(POLL_MS, performance.now() - lookedMs));
  }
  const why = cause === undefined ? "" : `: ${messageOf(cause)}`;
  throw new UntilError(`waited ${deadlineMs} ms for ${what}${why}`, { cause });
}
