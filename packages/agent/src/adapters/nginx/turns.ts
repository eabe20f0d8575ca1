import { err, failure, messageOf } from "@siding/shared/result";
import type { EdgeResult } from "../../ports/edge.ts";
import { FileNotWritten } from "./durable-file.ts";

/** One call after the other: two reloads at once could not be told apart. */
export class Turns {
  /** The end of the last call that was made. */
  #last: Promise<unknown> = Promise.resolve();

  take<T>(work: () => Promise<EdgeResult<T>>): Promise<EdgeResult<T>> {
    const turn = this.#last.then(() => asResult(work));
    this.#last = turn.catch(() => {}); // Its caller hears of it; the next call is not concerned.
    return turn;
  }
}

/** Errors of the system become failures; others are bugs of ours and are thrown. */
export async function asResult<T>(
  work: () => EdgeResult<T> | Promise<EdgeResult<T>>,
): Promise<EdgeResult<T>> {
  try {
    return await work();
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return err(failure("edge-write-failed" as const, messageOf(error), error));
  }
}

function isSystemError(error: unknown): boolean {
  return (
    error instanceof FileNotWritten ||
    (error instanceof Error && typeof (error as NodeJS.ErrnoException).errno === "number")
  );
}
