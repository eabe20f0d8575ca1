import { err, failure, messageOf } from "@siding/shared/result";
import type { EdgeResult } from "../../ports/edge.ts";

/** One call after the other: two reloads at once could not be told apart. */
export class Turns {
  /** The end of the last call that was made. */
  #last: Promise<unknown> = Promise.resolve();

  /** Errors of the system become failures; others are bugs of ours and are thrown. */
  take<T>(work: () => Promise<EdgeResult<T>>): Promise<EdgeResult<T>> {
    const turn = this.#last.then(async () => {
      try {
        return await work();
      } catch (error) {
        if (!isSystemError(error)) throw error;
        return err(failure("edge-write-failed" as const, messageOf(error), error));
      }
    });
    this.#last = turn.catch(() => {}); // Its caller hears of it; the next call is not concerned.
    return turn;
  }
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).errno === "number";
}
