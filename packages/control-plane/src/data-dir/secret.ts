import { randomBytes } from "node:crypto";
import { readIfThere, writeDurably } from "./durable-file.ts";

const secretBytes = 32;

/** A secret that is made at random at the first start, kept in a file that only we can read, and the same ever after. */
export function keptSecret(file: string): string {
  const kept = readIfThere(file)?.trim();
  if (kept) return kept;
  const fresh = randomBytes(secretBytes).toString("base64url");
  writeDurably(file, `${fresh}\n`);
  return fresh;
}
