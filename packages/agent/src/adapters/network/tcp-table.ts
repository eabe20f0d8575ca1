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

/** Parses a table; a line that is none of the kernel's is skipped. */
export function parseTcpTable(text: string): TcpSocket[] {
  return text
    .split("\n")
    .slice(1)
    .flatMap((line) => parseLine(line) ?? []);
}

/** `  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0  0 12345 …` */
function parseLine(line: string): TcpSocket | null {
  const fields = line.trim().split(/\s+/);
  const [, local, peer, state] = fields;
  const inode = fields[9];
  if (local === undefined || peer === undefined || state === undefined || inode === undefined) return null;
  const [localAddress, localPort] = local.split(":");
  const [peerAddress] = peer.split(":");
  if (!localAddress || !localPort || !peerAddress) return null;
  return {
    localAddress: addressOf(localAddress),
    localPort: Number.parseInt(localPort, 16),
    peerAddress: addressOf(peerAddress),
    state: states[state] ?? "other",
    inode,
  };
}

/** The kernel writes 32-bit words in the machine's byte order, which is little-endian wherever this runs. */
function addressOf(hex: string): string {
  const words = hex.match(/.{8}/g) ?? [];
  const bytes = words
    .flatMap((word) => (word.match(/../g) ?? []).reverse())
    .map((each) => Number.parseInt(each, 16));
  if (bytes.length === 4) return bytes.join(".");
  const mapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  return mapped ? bytes.slice(12).join(".") : writeIPv6(bytes);
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
