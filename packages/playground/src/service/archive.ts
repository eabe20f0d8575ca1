import { gzipSync } from "node:zlib";
import { Header, type HeaderData } from "tar";

/** Tar works in blocks of this size, and ends with two empty ones. */
const BLOCK_BYTES = 512;

/** One entry of an archive, with as much evil in its header as a test likes. */
export type Entry = Pick<HeaderData, "path" | "type" | "linkpath"> & { readonly content?: Buffer };

/**
 * A `.tar.gz` of these entries in this order. The same entries give the same bytes: no time, no user, no name of
 * this machine gets in.
 */
export function archiveOf(entries: readonly Entry[]): Buffer {
  const blocks = entries.flatMap(({ content = Buffer.alloc(0), ...header }) => [
    headerBlock({ ...header, size: content.length }),
    content,
    Buffer.alloc((BLOCK_BYTES - (content.length % BLOCK_BYTES)) % BLOCK_BYTES),
  ]);
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK_BYTES)]), { level: 1 });
}

function headerBlock(data: HeaderData): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  const header = new Header({ type: "File", mode: 0o644, uid: 0, gid: 0, mtime: new Date(0), ...data });
  if (header.encode(block, 0)) throw new Error(`'${String(data.path)}' needs more than one tar header`);
  return block;
}
