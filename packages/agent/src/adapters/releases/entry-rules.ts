import { posix } from "node:path";

/** What the archive says of one of its entries. */
export interface Entry {
  readonly path: string;
  readonly type: string;
  readonly linkpath?: string | undefined;
  readonly size: number;
}

/** Bounds of a release, so that a small archive can't fill a disk or exhaust its inodes. */
const maxEntries = 200_000;
export const maxUnpackedBytes = 8 * 1_073_741_824;

export interface Refused {
  readonly code: "archive-unsafe-path" | "archive-invalid";
  readonly message: string;
}

/** Judges the entries of one archive in their order; the first refused one condemns it. */
export class EntryRules {
  readonly #files = new Set<string>();
  #entries = 0;
  #bytes = 0;

  judge(entry: Entry): Refused | null {
    this.#entries += 1;
    this.#bytes += entry.size;
    if (this.#entries > maxEntries) return invalid(`more than ${maxEntries} entries`);
    if (this.#bytes > maxUnpackedBytes) return invalid(`more than ${maxUnpackedBytes} bytes unpacked`);
    if (leaves(entry.path)) return unsafe(`${quoted(entry.path)} is outside of the release`);
    switch (entry.type) {
      case "File":
      case "OldFile":
      case "ContiguousFile":
        this.#files.add(posix.normalize(entry.path));
        return null;
      case "Directory":
      case "GNUDumpDir":
        return null;
      case "SymbolicLink":
        return this.#judgeSymlink(entry);
      case "Link":
        return this.#judgeHardlink(entry);
      default:
        return unsafe(`${quoted(entry.path)} is a ${entry.type}; only files, folders and links are unpacked`);
    }
  }

  get isEmpty(): boolean {
    return this.#entries === 0;
  }

  /** By its text alone; where links lead through links, the unpacked tree is looked at again. */
  #judgeSymlink({ path, linkpath = "" }: Entry): Refused | null {
    const end = posix.join(posix.dirname(path), linkpath);
    const inside = linkpath !== "" && !posix.isAbsolute(linkpath) && end !== ".." && !end.startsWith("../");
    if (inside) return null;
    return unsafe(`the link ${quoted(path)} leads to ${quoted(linkpath)}, outside of the release`);
  }

  #judgeHardlink({ path, linkpath = "" }: Entry): Refused | null {
    if (!leaves(linkpath) && this.#files.has(posix.normalize(linkpath))) return null;
    return unsafe(
      `the link ${quoted(path)} leads to ${quoted(linkpath)}, which is no file of the release before it`,
    );
  }
}

/** An honest archive needs no `..` in its entries' paths, so there is no need to work out where they lead. */
function leaves(path: string): boolean {
  return path === "" || path.includes("\0") || posix.isAbsolute(path) || path.split("/").includes("..");
}

function unsafe(message: string): Refused {
  return { code: "archive-unsafe-path", message };
}

function invalid(message: string): Refused {
  return { code: "archive-invalid", message: `the archive has ${message}` };
}

function quoted(path: string): string {
  return JSON.stringify(path.slice(0, 300));
}
