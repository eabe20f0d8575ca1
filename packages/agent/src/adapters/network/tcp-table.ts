import { closeSync, openSync, readSync } from "node:fs";
import { isIPv4, isIPv6 } from "node:net";

/** One socket of /proc/net/tcp or tcp6. Addresses are written as people do; v4 in v6 clothes is v4. */
export interface TcpSocket {
  readonly localAddress: string;
  readonly localPort: number;
  readonly peerAddress: string;
  readonly state: "established" | "listening" | "other";
  readonly inode: string;
}

const states: Readonly<Record<string, TcpSocket["state"]>> = { "01": "established", "0A": "listening" };
const newline = 0x0a;
const pieceBytes = 65_536;

/**
 * Reads a table piece by piece, in whole lines, until `take` says false. A busy host has ten thousand closed
 * connections in it, a megabyte, and a drain reads it every 20 ms: nothing is kept or split that is not asked for.
 * No such table (a kernel without IPv6) is an empty one.
 */
export function readTable(path: string, take: (lines: Buffer) => boolean): void {
  const file = openTable(path);
  if (file === null) return;
  const buffer = Buffer.allocUnsafe(pieceBytes);
  let filled = 0;
  try {
    for (;;) {
      const bytes = readSync(file, buffer, filled, buffer.length - filled, null);
      if (bytes === 0) return;
      filled += bytes;
      const end = buffer.lastIndexOf(newline, filled - 1) + 1;
      if (end > 0 && !take(buffer.subarray(0, end))) return;
      buffer.copyWithin(0, end, filled);
      filled -= end;
    }
  } finally {
    closeSync(file);
  }
}

/** Calls back for each established connection whose own end is this address and port. */
export function eachPeer(path: string, address: string, port: number, found: (peer: string) => void): void {
  const ends = ownEnds(address, port);
  readTable(path, (lines) => {
    for (const { text, peerLength } of ends) {
      for (let at = lines.indexOf(text); at >= 0; at = lines.indexOf(text, at + text.length)) {
        const peerAt = at + text.length;
        const stateAt = peerAt + peerLength + ":FFFF ".length;
        const isEstablished = lines.toString("latin1", stateAt, stateAt + 2) === "01";
        if (isEstablished) found(addressOf(lines.toString("latin1", peerAt, peerAt + peerLength)));
      }
    }
    return true;
  });
}

/** Parses a line; null where it is none of the kernel's, such as the head. */
export function parseTcpLine(line: string): TcpSocket | null {
  const fields = line.trim().split(/\s+/);
  const [, local, peer, state] = fields;
  const inode = fields[9];
  if (local === undefined || peer === undefined || state === undefined || inode === undefined) return null;
  const [localAddress, localPort] = local.split(":");
  const [peerAddress] = peer.split(":");
  if (!localAddress || !localPort || !peerAddress || peerAddress === "rem_address") return null;
  return {
    localAddress: addressOf(localAddress),
    localPort: Number.parseInt(localPort, 16),
    peerAddress: addressOf(peerAddress),
    state: states[state] ?? "other",
    inode,
  };
}

/** How the own end of a connection is written: as itself, and a v4 address also in v6 clothes. */
function ownEnds(address: string, port: number) {
  const portText = port.toString(16).toUpperCase().padStart(4, "0");
  const bytes = bytesOf(address);
  const spellings =
    bytes.length === 4 ? [bytes, [...Array<number>(10).fill(0), 0xff, 0xff, ...bytes]] : [bytes];
  return spellings.map((each) => {
    const text = Buffer.from(`: ${hexOf(each)}:${portText} `, "latin1");
    return { text, peerLength: each.length * 2 };
  });
}

/** The kernel writes 32-bit words in the machine's byte order, which is little-endian wherever this runs. */
function addressOf(hex: string): string {
  const bytes = wordsReversed((hex.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16)));
  if (bytes.length === 4) return bytes.join(".");
  const mapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  return mapped ? bytes.slice(12).join(".") : writeIPv6(bytes);
}

function hexOf(bytes: readonly number[]): string {
  return wordsReversed(bytes)
    .map((byte) => byte.toString(16).toUpperCase().padStart(2, "0"))
    .join("");
}

function wordsReversed(bytes: readonly number[]): number[] {
  return bytes.map((_, index) => bytes[index - (index % 4) + 3 - (index % 4)] ?? 0);
}

function bytesOf(address: string): number[] {
  if (isIPv4(address)) return address.split(".").map(Number);
  const [head = "", tail] = canonicalAddress(address).split("::");
  const groups = (text: string) => text.split(":").filter(Boolean);
  const [before, after] = [groups(head), groups(tail ?? "")];
  const zeros = Array<string>(tail === undefined ? 0 : 8 - before.length - after.length).fill("0");
  const numbers = [...before, ...zeros, ...after].map((group) => Number.parseInt(group, 16));
  return numbers.flatMap((group) => [group >> 8, group & 0xff]);
}

function writeIPv6(bytes: readonly number[]): string {
  const groups = Array.from({ length: 8 }, (_, index) =>
    (((bytes[2 * index] ?? 0) << 8) | (bytes[2 * index + 1] ?? 0)).toString(16),
  );
  return canonicalAddress(groups.join(":"));
}

/** One spelling for each address, so that equal ones are equal texts. */
export function canonicalAddress(address: string): string {
  if (isIPv4(address)) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1] !== undefined) return mapped[1];
  return isIPv6(address) ? new URL(`http://[${address}]/`).hostname.slice(1, -1) : address;
}

export function isWildcard(address: string): boolean {
  return address === "0.0.0.0" || address === "::";
}

function openTable(path: string): number | null {
  try {
    return openSync(path, "r");
  } catch (error) {
    if (path.endsWith("tcp6") && (error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
