import { dirname, join } from "node:path";
import { err, type Failure, failure, messageOf, ok, type Result } from "@siding/shared/result";
import type { Journal } from "../../machine/journal.ts";
import type { JournalStore } from "../../ports/journal-store.ts";
import { SlotFile } from "../system/slot-file.ts";
import { storageTrouble } from "../system/storage-failure.ts";
import { JournalSchema } from "./schema.ts";

/** The journal as one file. Written synchronously: nothing else may happen before it is durable. */
export class JournalFile implements JournalStore {
  readonly #path: string;
  readonly #file: SlotFile;

  constructor(dataDir: string) {
    this.#path = join(dataDir, "journal.json");
    this.#file = new SlotFile(this.#path);
  }

  /** The journal of the last run; null at the first one. Errors: `journal-unreadable`, which names the file. */
  read(): Result<Journal | null, Failure<"journal-unreadable">> {
    let text: string | null;
    try {
      text = this.#file.read();
    } catch (cause) {
      return this.#unreadable(messageOf(cause), cause);
    }
    return text === null ? ok(null) : this.#parse(text);
  }

  write(journal: Journal): Result<null, Failure<"journal-not-written">> {
    try {
      this.#file.write(JSON.stringify(journal));
      return ok(null);
    } catch (cause) {
      const trouble = storageTrouble(cause, dirname(this.#path));
      const next = trouble === null ? "" : `; ${trouble.message}`;
      return err(failure("journal-not-written", `${this.#path}: ${messageOf(cause)}${next}`, cause));
    }
  }

  #parse(text: string): Result<Journal, Failure<"journal-unreadable">> {
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch (cause) {
      return this.#unreadable(messageOf(cause), cause);
    }
    const parsed = JournalSchema.safeParse(json);
    if (parsed.success) return ok(parsed.data);
    const first = parsed.error.issues[0];
    return this.#unreadable(`${first?.path.join(".") ?? ""}: ${first?.message ?? "invalid"}`, parsed.error);
  }

  #unreadable(why: string, cause: unknown): Result<never, Failure<"journal-unreadable">> {
    const advice =
      "The agent does not start without knowing what it promised. Restore the file, or move it away: what runs is " +
      "then found again by its processes, and the control plane says the rest anew.";
    return err(
      failure("journal-unreadable", `the journal ${this.#path} can't be read (${why}). ${advice}`, cause),
    );
  }
}
