import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { err, type Failure, failure, messageOf, ok, type Result } from "@siding/shared/result";
import type { Journal } from "../../machine/journal.ts";
import type { JournalStore } from "../../ports/journal-store.ts";
import { storageTrouble } from "../system/storage-failure.ts";
import { JournalSchema } from "./schema.ts";

/**
 * The journal as one JSON file. Written synchronously: nothing else may happen before it is durable, and that takes
 * half a millisecond.
 */
export class JournalFile implements JournalStore {
  readonly #path: string;

  constructor(dataDir: string) {
    this.#path = join(dataDir, "journal.json");
  }

  /** The journal of the last run; null at the first one. Errors: `journal-unreadable`, which names the file. */
  read(): Result<Journal | null, Failure<"journal-unreadable">> {
    let text: string;
    try {
      text = readFileSync(this.#path, "utf8");
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ENOENT") return ok(null);
      return this.#unreadable(messageOf(cause), cause);
    }
    return this.#parse(text);
  }

  write(journal: Journal): Result<null, Failure<"journal-not-written">> {
    const draft = `${this.#path}.draft`;
    try {
      const file = openSync(draft, "w", 0o600);
      try {
        // A single write may take only a part, where the disk has room for no more.
        writeFileSync(file, JSON.stringify(journal));
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(draft, this.#path);
      syncFolder(dirname(this.#path));
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

function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
