import { createHash } from "node:crypto";
import type { Digest } from "./ids.ts";

/** Texts that are known already, of values that are never changed in place. */
type Texts = WeakMap<object, string>;

/** JSON with keys in one order and no white space, so that equal content has equal text. */
export function canonicalJson(value: unknown, known?: Texts): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const text = known?.get(value);
  if (text !== undefined) return text;
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null, known)).join(",")}]`;
  const items = value as Readonly<Record<string, unknown>>;
  const keys = Object.keys(items).filter((key) => items[key] !== undefined);
  return `{${keys
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(items[key], known)}`)
    .join(",")}}`;
}

/** Whether both have the same {@link canonicalJson}, without writing it: at once for what is the same object. */
export function hasSameContent(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false;
  if (Array.isArray(left) || Array.isArray(right)) {
    if (!Array.isArray(left) || !Array.isArray(right) || left.length !== right.length) return false;
    return left.every((item, index) => hasSameContent(item ?? null, right[index] ?? null));
  }
  return hasSameItems(left as Readonly<Record<string, unknown>>, right as Readonly<Record<string, unknown>>);
}

function hasSameItems(
  left: Readonly<Record<string, unknown>>,
  right: Readonly<Record<string, unknown>>,
): boolean {
  for (const key of Object.keys(left)) if (!hasSameContent(left[key], right[key])) return false;
  for (const key of Object.keys(right)) {
    if (left[key] === undefined && right[key] !== undefined) return false;
  }
  return true;
}

/** The digest of a value's content, whatever the order of its keys. */
export function contentDigest(value: unknown): Digest {
  return textDigest(canonicalJson(value));
}

export function textDigest(text: string): Digest {
  return `sha256:${createHash("sha256").update(text).digest("hex")}` as Digest;
}
