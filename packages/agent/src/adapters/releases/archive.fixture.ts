import { gzipSync } from "node:zlib";
import { Header } from "tar";

/** One entry as an attacker would write it; the tar package itself would refuse to pack many of these. */
export interface RawEntry {
  readonly path: string;
  readonly type?: "File" | "Directory" | "SymbolicLink" | "Link" | "CharacterDevice" | "FIFO";
  readonly linkpath?: string;
  readonly text?: string;
  readonly mode?: number;
}

const blockBytes = 512;

export function rawTar(entries: readonly RawEntry[]): Buffer {
  return Buffer.concat([...entries.map(rawEntry), Buffer.alloc(2 * blockBytes)]);
}

export function rawTarGz(entries: readonly RawEntry[]): Buffer {
  return gzipSync(rawTar(entries));
}

function rawEntry({ path, type = "File", linkpath, text = "", mode = 0o644 }: RawEntry): Buffer {
  const body = Buffer.from(text);
  const head = Buffer.alloc(blockBytes);
  const header = new Header({ path, type, mode, size: body.length, ...(linkpath ? { linkpath } : {}) });
  header.encode(head);
  const padding = Buffer.alloc((blockBytes - (body.length % blockBytes)) % blockBytes);
  return Buffer.concat([head, body, padding]);
}
