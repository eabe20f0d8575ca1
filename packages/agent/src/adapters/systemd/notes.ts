import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ServiceName, Slot, TargetId } from "@siding/shared/ids";
import * as z from "zod";

/** What was started last in a slot. In /run: it goes with the processes that it is about. */
const Note = z.object({
  service: ServiceName,
  slot: Slot,
  targetId: TargetId,
  startId: z.int().min(0),
  unit: z.string(),
});
export type Note = z.infer<typeof Note>;

/** The agent's memory of which unit runs what: written before each start, read by the next agent. */
export class Notes {
  readonly #folder: string;

  constructor(runDir: string) {
    this.#folder = join(runDir, "units");
  }

  /** Variables of the slot's service; its secrets too, so only root reads it. */
  environmentFile({ service, slot }: Pick<Note, "service" | "slot">): string {
    return join(this.#folder, `${service}.${slot}.env`);
  }

  write(note: Note, environment: string): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    replace(this.environmentFile(note), environment);
    replace(this.#path(note), JSON.stringify(note));
  }

  all(): Note[] {
    return names(this.#folder).flatMap((name) => {
      if (!name.endsWith(".json")) return [];
      const parsed = Note.safeParse(JSON.parse(readFileSync(join(this.#folder, name), "utf8")));
      return parsed.success ? [parsed.data] : [];
    });
  }

  forget(note: Pick<Note, "service" | "slot">): void {
    rmSync(this.#path(note), { force: true });
    rmSync(this.environmentFile(note), { force: true });
  }

  #path({ service, slot }: Pick<Note, "service" | "slot">): string {
    return join(this.#folder, `${service}.${slot}.json`);
  }
}

/** Whole or not at all. */
function replace(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
