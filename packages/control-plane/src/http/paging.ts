import { z } from "@hono/zod-openapi";
import { HostId, type Labels, ServiceName } from "@siding/shared/ids";
import { Liveness } from "@siding/shared/rest";
import { err, ok, type Result } from "@siding/shared/result";
import type { Context } from "hono";
import type { Refusal } from "../orchestrator/refusal.ts";
import { refusalOfIssues } from "./issues.ts";

/** What a person still reads through, and a program gets in one go. */
const defaultPage = 1_000;
/** The largest fleet that we promise anything for. */
const largestPage = 10_000;
const maxLabels = 20;

const Label = z.string().regex(/^[^=]{1,63}=.{0,255}$/, "a label is NAME=VALUE");

/** What hosts and edges alike can be asked for. What is given several times over must all hold. */
export const pageQuery = {
  service: ServiceName.optional(),
  label: z
    .array(Label)
    .max(maxLabels)
    .optional()
    .openapi({ description: "NAME=VALUE; given repeatedly, all must hold" }),
  liveness: Liveness.optional(),
  limit: z.coerce.number().int().min(1).max(largestPage).default(defaultPage),
  after: HostId.optional().openapi({ description: "`next` of the page before" }),
};

/** Reads the query of a request. Errors: `invalid-request`, naming the parameter. */
export function queryOf<S extends z.ZodType>(context: Context, schema: S): Result<z.output<S>, Refusal> {
  const { label, ...single } = context.req.queries();
  const written = Object.fromEntries(Object.entries(single).map(([name, values]) => [name, values.at(-1)]));
  const parsed = schema.safeParse({ ...written, ...(label ? { label } : {}) }, { reportInput: true });
  return parsed.success ? ok(parsed.data) : err(refusalOfIssues(parsed.error.issues, "the query"));
}

export interface Page<T> {
  readonly page: readonly T[];
  readonly next: HostId | null;
}

interface Place {
  readonly limit: number;
  readonly after?: HostId | undefined;
}

/** A page of what is in the order of its ids. One that is gone meanwhile does not end the walk. */
export function pageOf<T>(items: readonly T[], idOf: (item: T) => HostId, { limit, after }: Place): Page<T> {
  const start = after === undefined ? 0 : startAfter(items, idOf, after);
  const page = items.slice(start, start + limit);
  const last = start + limit < items.length ? page.at(-1) : undefined;
  return { page, next: last === undefined ? null : idOf(last) };
}

const inNumericOrder = new Intl.Collator("en", { numeric: true });

function startAfter<T>(items: readonly T[], idOf: (item: T) => HostId, after: HostId): number {
  const start = items.findIndex((item) => inNumericOrder.compare(idOf(item), after) > 0);
  return start < 0 ? items.length : start;
}

export function hasLabels(labels: Labels, wanted: readonly string[] = []): boolean {
  return wanted.every((label) => {
    const equals = label.indexOf("=");
    return labels[label.slice(0, equals)] === label.slice(equals + 1);
  });
}

export function hasText(said: readonly string[], text: string | undefined): boolean {
  if (text === undefined) return true;
  return said.some((each) => each.toLowerCase().includes(text.toLowerCase()));
}

export function labelTexts(labels: Labels): readonly string[] {
  return Object.entries(labels).map((label) => label.join("="));
}
