import { z } from "@hono/zod-openapi";
import { HostId, ServiceName, Version } from "@siding/shared/ids";
import { type HostDocument, Liveness } from "@siding/shared/rest";
import { err, ok, type Result } from "@siding/shared/result";
import type { Context } from "hono";
import type { HostEntry } from "../orchestrator/catalogue.ts";
import type { Refusal } from "../orchestrator/refusal.ts";
import { refusalOfIssues } from "./issues.ts";

/** What a person still reads through, and a program gets in one go. */
const defaultPage = 1_000;
/** The largest fleet that we promise anything for. */
const largestPage = 10_000;
const maxLabels = 20;

const Label = z.string().regex(/^[^=]{1,63}=.{0,255}$/, "a label is NAME=VALUE");

/** Which hosts, and which page of them. What is given several times over must all hold, of one and the same instance. */
export const HostQuery = z.strictObject({
  service: ServiceName.optional(),
  label: z
    .array(Label)
    .max(maxLabels)
    .optional()
    .openapi({ description: "NAME=VALUE; given repeatedly, all must hold" }),
  liveness: Liveness.optional(),
  state: z
    .string()
    .max(64)
    .optional()
    .openapi({ description: "of an instance: serving, draining, failed, …" }),
  version: Version.optional(),
  q: z
    .string()
    .max(200)
    .optional()
    .openapi({ description: "text in id, address, labels, version or trouble" }),
  limit: z.coerce.number().int().min(1).max(largestPage).default(defaultPage),
  after: HostId.optional().openapi({ description: "`next` of the page before" }),
});
type HostQuery = z.output<typeof HostQuery>;

/** Errors: `invalid-request`, naming the parameter. */
export function hostQueryOf(context: Context): Result<HostQuery, Refusal> {
  const { label, ...single } = context.req.queries();
  const written = Object.fromEntries(Object.entries(single).map(([name, values]) => [name, values.at(-1)]));
  const parsed = HostQuery.safeParse({ ...written, ...(label ? { label } : {}) }, { reportInput: true });
  return parsed.success ? ok(parsed.data) : err(refusalOfIssues(parsed.error.issues, "the query"));
}

export interface HostPage {
  readonly matching: number;
  readonly page: readonly HostEntry[];
  readonly next: HostId | null;
}

/** A page of those that match. A host that is gone meanwhile does not end the walk: ids have their own order. */
export function pageOf(entries: readonly HostEntry[], query: HostQuery): HostPage {
  const matching = entries.filter(({ document }) => matches(document, query));
  const start = query.after === undefined ? 0 : startAfter(matching, query.after);
  const page = matching.slice(start, start + query.limit);
  const last = start + query.limit < matching.length ? page.at(-1) : undefined;
  return { matching: matching.length, page, next: last?.document.id ?? null };
}

const inNumericOrder = new Intl.Collator("en", { numeric: true });

function startAfter(entries: readonly HostEntry[], after: HostId): number {
  const start = entries.findIndex(({ document }) => inNumericOrder.compare(document.id, after) > 0);
  return start < 0 ? entries.length : start;
}

function matches(host: HostDocument, query: HostQuery): boolean {
  const { liveness, label = [], q } = query;
  return (
    (liveness === undefined || host.liveness === liveness) &&
    label.every((wanted) => hasLabel(host, wanted)) &&
    hasInstance(host, query) &&
    (q === undefined || hasText(host, q.toLowerCase()))
  );
}

function hasLabel({ labels }: HostDocument, wanted: string): boolean {
  const equals = wanted.indexOf("=");
  return labels[wanted.slice(0, equals)] === wanted.slice(equals + 1);
}

function hasInstance({ instances }: HostDocument, { service, state, version }: HostQuery): boolean {
  if (service === undefined && state === undefined && version === undefined) return true;
  return instances.some(
    (instance) =>
      (service === undefined || instance.service === service) &&
      (state === undefined || instance.state === state) &&
      (version === undefined || instance.version === version),
  );
}

function hasText({ id, address, labels, instances }: HostDocument, text: string): boolean {
  const said = [
    id,
    address ?? "",
    ...Object.entries(labels).map((label) => label.join("=")),
    ...instances.flatMap(({ service, version, trouble }) => [service, version ?? "", trouble?.message ?? ""]),
  ];
  return said.some((each) => each.toLowerCase().includes(text));
}
