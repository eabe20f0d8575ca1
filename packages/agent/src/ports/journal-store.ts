import type { Failure, Result } from "@siding/shared/result";
import type { Journal } from "../machine/journal.ts";

/** Where the journal is kept. */
export interface JournalStore {
  /** Returns when the journal is durable, whole or not at all. Errors: `journal-not-written`. */
  write(journal: Journal): Result<null, Failure<"journal-not-written">>;
}
