import type { ByteRange } from "../artifacts/store.ts";

export type RangeVerdict =
  | { readonly kind: "whole" }
  | { readonly kind: "part"; readonly range: ByteRange }
  | { readonly kind: "unsatisfiable" };

/**
 * What a `Range` header asks for (RFC 9110, section 14). Several ranges, other units and what is malformed are answered
 * with the whole, as the RFC allows.
 */
export function rangeOf(header: string | undefined, sizeBytes: number): RangeVerdict {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? "");
  const [, first = "", last = ""] = match ?? [];
  if (!match || (first === "" && last === "")) return { kind: "whole" };
  if (first === "") return part(sizeBytes - Number(last), sizeBytes - 1, sizeBytes);
  if (last !== "" && Number(last) < Number(first)) return { kind: "whole" };
  return part(Number(first), last === "" ? sizeBytes - 1 : Number(last), sizeBytes);
}

function part(first: number, last: number, sizeBytes: number): RangeVerdict {
  const range = { first: Math.max(0, first), last: Math.min(last, sizeBytes - 1) };
  return range.first <= range.last ? { kind: "part", range } : { kind: "unsatisfiable" };
}
