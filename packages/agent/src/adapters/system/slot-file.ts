import { createHash } from "node:crypto";
import {
  closeSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";

/** A block of the disk. */
const leastSlotBytes = 4_096;

/** `{"written":12,"sha256":"…","value":…}` and blanks up to the end of its slot. */
const slotForm = /^\{"written":(\d+),"sha256":"([0-9a-f]{64})","value":(.*)\} *\n$/s;

/** Where the newest whole text stands. */
interface Standing {
  readonly written: number;
  readonly slot: number;
  readonly slotBytes: number;
  /** The file itself: another one of that name is not written into. */
  readonly inode: number;
}

/**
 * JSON that is replaced often, and survives a power cut at any instant: the old text or the new one, whole. Two slots of
 * one file are written in turns, and the newest whole one counts. What is written over has its place on the disk, so that
 * nothing of the file system changes with it: that takes a thirtieth of the time of a new file, above all where others
 * write too, and a full disk has room for it.
 */
export class SlotFile {
  readonly #path: string;
  #standing: Standing | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  /** The newest text; null where there is no file, or nothing whole in it. Throws where it can't be read. */
  read(): string | null {
    const file = opened(this.#path, "r");
    if (file === null) return null;
    try {
      const content = readFileSync(file);
      const slotBytes = content.length / 2;
      const slots = [content.subarray(0, slotBytes), content.subarray(slotBytes)];
      const [newest] = slots.flatMap(wholeIn).toSorted((left, right) => right.written - left.written);
      // A plain text is what an agent before slots has left.
      if (!newest) return content.toString();
      const { text, written, slot } = newest;
      this.#standing = { written, slot, slotBytes, inode: fstatSync(file).ino };
      return text;
    } finally {
      closeSync(file);
    }
  }

  /** Returns when the text is durable; throws where it can't be written, and the last one stays. */
  write(text: string): void {
    const before = this.#standing;
    const written = (before?.written ?? 0) + 1;
    const line = `{"written":${written},"sha256":"${digestOf(written, text)}","value":${text}}`;
    if (before === null || !this.#overwrite(before, written, line)) this.#replace(written, line);
  }

  /** False where it does not fit, or another file has come in place of the one that we know. */
  #overwrite(before: Standing, written: number, line: string): boolean {
    const { slotBytes, inode } = before;
    if (lengthOf(line) > slotBytes) return false;
    const file = opened(this.#path, "r+");
    if (file === null) return false;
    try {
      const { ino, size } = fstatSync(file);
      if (ino !== inode || size !== 2 * slotBytes) return false;
      const next = 1 - before.slot;
      writeWhole(file, padded(line, slotBytes), next * slotBytes);
      fdatasyncSync(file);
      this.#standing = { written, slot: next, slotBytes, inode };
      return true;
    } finally {
      closeSync(file);
    }
  }

  /** A new file takes its place: the first one, or one with larger slots. */
  #replace(written: number, line: string): void {
    const draft = `${this.#path}.draft`;
    let slotBytes = leastSlotBytes;
    // Twice what is needed now, so that it need not grow soon.
    while (slotBytes < 2 * lengthOf(line)) slotBytes *= 2;
    const both = Buffer.concat([padded(line, slotBytes), padded("", slotBytes)]);
    const file = openSync(draft, "w", 0o600);
    let inode: number;
    try {
      // A single write may take only a part, where the disk has room for no more.
      writeFileSync(file, both);
      fsyncSync(file);
      inode = fstatSync(file).ino;
    } finally {
      closeSync(file);
    }
    renameSync(draft, this.#path);
    syncFolder(dirname(this.#path));
    this.#standing = { written, slot: 0, slotBytes, inode };
  }
}

/** What a slot holds; nothing where its write was cut off. */
function wholeIn(bytes: Buffer, slot: number) {
  const [, written, digest, text] = slotForm.exec(bytes.toString()) ?? [];
  if (text === undefined || digestOf(Number(written), text) !== digest) return [];
  return [{ text, written: Number(written), slot }];
}

/** Null where there is no such file. */
function opened(path: string, flags: "r" | "r+"): number | null {
  try {
    return openSync(path, flags);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

function writeWhole(file: number, bytes: Buffer, at: number): void {
  let done = 0;
  while (done < bytes.length) done += writeSync(file, bytes, done, bytes.length - done, at + done);
}

/** In bytes, with the end of the line. */
function lengthOf(line: string): number {
  return Buffer.byteLength(line) + 1;
}

/** A line that fills its slot. */
function padded(line: string, slotBytes: number): Buffer {
  const slot = Buffer.alloc(slotBytes, " ");
  slot.write(line);
  slot.write("\n", slotBytes - 1);
  return slot;
}

/** Of the number too: a write that was cut off just behind it must not make an old text the newest. */
function digestOf(written: number, text: string): string {
  return createHash("sha256").update(`${written} ${text}`).digest("hex");
}

function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
