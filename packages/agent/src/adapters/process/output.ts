import {
  closeSync,
  copyFileSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
} from "node:fs";
import { join } from "node:path";
import type { ServiceName, Slot } from "@siding/shared/ids";
import { maxOutputBytes } from "@siding/shared/report";

/** The output of so many starts of an instance is kept. */
const keptStarts = 5;
/** A file that has grown beyond this is put aside once, so that a talkative service can't fill the disk. */
const maxFileBytes = 16 * 1_048_576;

interface Which {
  readonly service: ServiceName;
  readonly slot: Slot;
  readonly startId: number;
}

/**
 * What services print, in one file a start. They hold the file themselves, in append mode: an agent that dies takes
 * nothing away from them, and one that cuts the file leaves no hole.
 */
export class Output {
  readonly #root: string;

  constructor(dataDir: string) {
    this.#root = join(dataDir, "output");
  }

  /** Opens the file of a start, for the child. The caller closes it. Older starts' files go. */
  open(which: Which): number {
    const folder = this.#folderOf(which);
    mkdirSync(folder, { recursive: true, mode: 0o750 });
    const ids = readdirSync(folder).map((name) => Number.parseInt(name, 10));
    const old = ids.filter((id) => id <= which.startId - keptStarts);
    for (const id of old) this.#remove({ ...which, startId: id });
    return openSync(this.#pathOf(which), "a", 0o640);
  }

  /** The end of what a start has printed. */
  tail(which: Which): string {
    try {
      const file = openSync(this.#pathOf(which), "r");
      try {
        const { size } = fstatSync(file);
        const length = Math.min(size, maxOutputBytes);
        const bytes = Buffer.alloc(length);
        readSync(file, bytes, 0, length, size - length);
        return bytes.toString("utf8").replaceAll("\0", "").trimEnd();
      } finally {
        closeSync(file);
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
      throw error;
    }
  }

  /** Cuts the file where it has become too long; the part before is kept aside, the one before that goes. */
  bound(which: Which): void {
    const path = this.#pathOf(which);
    const { size } = statSync(path, { throwIfNoEntry: false }) ?? { size: 0 };
    if (size <= maxFileBytes) return;
    copyFileSync(path, `${path}.1`);
    truncateSync(path, 0);
  }

  #remove(which: Which): void {
    rmSync(this.#pathOf(which), { force: true });
    rmSync(`${this.#pathOf(which)}.1`, { force: true });
  }

  #folderOf({ service, slot }: Which): string {
    return join(this.#root, service, slot);
  }

  #pathOf(which: Which): string {
    return join(this.#folderOf(which), `${which.startId}.log`);
  }
}
