import { createReadStream } from "node:fs";
import { open, readdir, realpath } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import type { StepFailure } from "@siding/shared/report";
import { err, messageOf, ok, type Result } from "@siding/shared/result";
import type { ReadEntry, Unpack } from "tar";
import { storageFailure } from "../system/storage-failure.ts";
import { EntryRules, maxUnpackedBytes, type Refused } from "./entry-rules.ts";

/** Permissions without setuid, setgid and sticky; the owner can always read and write, else it could not be deleted. */
const permissions = 0o777;
const ownersFile = 0o600;
const ownersFolder = 0o700;

/** Unpacks `.tar.gz` or `.tar.zst`, told apart by their first bytes, into an empty folder, and makes it durable. */
export async function unpack(
  archive: string,
  folder: string,
  signal: AbortSignal,
): Promise<Result<null, StepFailure>> {
  const decompress = await decompressorOf(archive);
  if (decompress === null) {
    return err({ code: "archive-invalid", message: "the artifact is neither a .tar.gz nor a .tar.zst" });
  }
  const rules = new EntryRules();
  const condemned = new AbortController();
  let refused: Refused | null = null;
  const tree = await unpacker(folder, (entry) => {
    refused ??= rules.judge(entry);
    if (refused !== null) condemned.abort();
    return refused === null;
  });
  try {
    const stop = AbortSignal.any([signal, condemned.signal]);
    await pipeline(createReadStream(archive), decompress, bounded(), tree, { signal: stop });
  } catch (cause) {
    return err(refused ?? storageFailure(cause, dirname(folder)) ?? invalid(cause));
  }
  if (refused !== null) return err(refused);
  if (rules.isEmpty) return err({ code: "archive-invalid", message: "the archive is empty" });
  return settle(folder);
}

async function decompressorOf(archive: string): Promise<Transform | null> {
  const file = await open(archive);
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    if (buffer[0] === 0x1f && buffer[1] === 0x8b) return createGunzip();
    return buffer.readUInt32LE(0) === 0xfd2fb528 ? createZstdDecompress() : null;
  } finally {
    await file.close();
  }
}

/** The tar package is only in memory once something was staged. */
async function unpacker(folder: string, mayUnpack: (entry: ReadEntry) => boolean): Promise<Unpack> {
  const tar = await import("tar");
  return new tar.Unpack({
    cwd: folder,
    strict: true,
    preserveOwner: false,
    noMtime: true,
    filter: (_path, entry) => {
      if (!("type" in entry)) return false;
      const least = entry.type === "Directory" ? ownersFolder : ownersFile;
      entry.mode = ((entry.mode ?? 0) & permissions) | least;
      return mayUnpack(entry);
    },
  });
}

/** A header may lie about sizes; what comes out of the decompressor does not. */
function bounded(): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      const most = maxUnpackedBytes + maxUnpackedBytes / 8;
      done(bytes > most ? new Error(`more than ${most} bytes unpacked`) : null, chunk);
    },
  });
}

function invalid(cause: unknown): StepFailure {
  return { code: "archive-invalid", message: `the archive can't be unpacked: ${messageOf(cause)}` };
}

/** Looks at every link where it really leads, and writes every file and folder through to the disk. */
async function settle(folder: string): Promise<Result<null, StepFailure>> {
  const root = await realpath(folder);
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isSymbolicLink()) {
      const end = await realpath(path).catch(() => root);
      if (end === root || end.startsWith(`${root}${sep}`)) continue;
      const message = `the link ${JSON.stringify(path.slice(folder.length + 1))} leads outside of the release`;
      return err({ code: "archive-unsafe-path", message });
    }
    await syncPath(path);
  }
  await syncPath(folder);
  return ok(null);
}

export async function syncPath(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
