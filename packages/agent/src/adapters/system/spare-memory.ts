import type { JournalStore } from "../../ports/journal-store.ts";

/** V8's `gc`, which Node has where it was started with --expose-gc, as its unit does. */
export type Collect = (how: { readonly type: "major"; readonly flavor: "last-resort" }) => unknown;

/** Longer than two steps of a host's turn are apart, mostly: the 50 ms of a collection are in nobody's way then. */
const quietMs = 2_000;
/** What was run for a deploy is given up by the second collection only: the first finds that it was run since the last. */
const collections = 2;
const betweenMs = 1_000;

/**
 * Gives memory back once the agent has rested for a while after its start and after each deploy. V8 of itself keeps
 * what was needed once, since that makes the next use faster; an agent has nothing to do nearly always.
 */
export class SpareMemory {
  readonly #collect: Collect | undefined;
  #rest: NodeJS.Timeout | null = null;

  constructor(collect: Collect | undefined = globalThis.gc as Collect | undefined) {
    this.#collect = collect;
  }

  /** Something was done that needed memory. */
  used(): void {
    if (this.#collect === undefined) return;
    if (this.#rest !== null) clearTimeout(this.#rest);
    this.#collectIn(quietMs, collections);
  }

  /** Whatever an agent does for a deploy, it writes down before. */
  after(journal: JournalStore): JournalStore {
    return {
      write: (next) => {
        this.used();
        return journal.write(next);
      },
    };
  }

  #collectIn(waitMs: number, times: number): void {
    this.#rest = setTimeout(() => {
      this.#collect?.({ type: "major", flavor: "last-resort" });
      if (times > 1) this.#collectIn(betweenMs, times - 1);
    }, waitMs);
    this.#rest.unref();
  }
}
