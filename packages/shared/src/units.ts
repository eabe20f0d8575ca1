import * as z from "zod";

const factorMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Ten years: longer is a typing mistake, and keeps every sum far from the limit of safe integers. */
const maxDurationMs = 3_650 * factorMs.d;

/**
 * A duration as a person writes it: `500ms`, `2s`, `1.5m`, `2h`, `1d`. Parsed once, into whole milliseconds.
 * A bare number is refused, since nobody can see its unit; only 0 needs none.
 */
export const Duration = z
  .union([z.string(), z.literal(0)])
  .transform((text, context): number => {
    if (text === 0 || text === "0") return 0;
    const match = /^(\d{1,12}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text);
    const valueMs = match
      ? Math.round(Number(match[1]) * factorMs[match[2] as keyof typeof factorMs])
      : Number.NaN;
    if (Number.isFinite(valueMs) && valueMs <= maxDurationMs) return valueMs;
    context.addIssue({
      code: "custom",
      message: `'${text}' is no duration; write 500ms, 20s, 10m, 2h or 1d`,
    });
    return z.NEVER;
  })
  .meta({ description: "a duration: 500ms, 20s, 10m, 2h, 1d" });

/** Writes milliseconds as a person reads them: `500ms`, `2s`, `1m30s`, `2h5m`. */
export function formatMs(durationMs: number): string {
  const whole = Math.max(0, Math.round(durationMs));
  if (whole < 1_000) return `${whole}ms`;
  if (whole < 60_000) return `${Number((whole / 1_000).toFixed(whole < 10_000 ? 1 : 0))}s`;
  const minutes = Math.floor(whole / 60_000);
  const seconds = Math.floor((whole % 60_000) / 1_000);
  if (minutes < 60) return seconds === 0 ? `${minutes}m` : `${minutes}m${seconds}s`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`;
}

/** A count, or a share of the base (design section 3). */
export type Amount =
  | { readonly kind: "count"; readonly count: number }
  | { readonly kind: "percent"; readonly percent: number };

/** The stored form of an amount. */
export const StoredAmount = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("count"), count: z.int().min(0) }),
  z.object({ kind: z.literal("percent"), percent: z.number().min(0).max(100) }),
]);

/** An amount as a person writes it: `2` or `"25%"`. */
export const AmountInput = z
  .union([z.int().min(0).max(100_000), z.string()])
  .transform((value, context): Amount => {
    if (typeof value === "number") return { kind: "count", count: value };
    const match = /^(\d{1,3}(?:\.\d{1,3})?)%$/.exec(value);
    const percent = match ? Number(match[1]) : Number.NaN;
    if (percent >= 0 && percent <= 100) return { kind: "percent", percent };
    context.addIssue({
      code: "custom",
      message: `'${value}' is neither a whole number nor a percentage such as "25%"`,
    });
    return z.NEVER;
  })
  .meta({ description: 'a whole number, or a percentage such as "25%"' });

/** Writes an amount as it was given: `2` or `25%`. */
export function formatAmount(amount: Amount): string {
  return amount.kind === "count" ? String(amount.count) : `${amount.percent}%`;
}
