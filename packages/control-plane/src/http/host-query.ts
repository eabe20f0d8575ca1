import { z } from "@hono/zod-openapi";
import { Version } from "@siding/shared/ids";
import type { HostDocument } from "@siding/shared/rest";
import type { HostEntry } from "../orchestrator/catalogue.ts";
import { hasLabels, hasText, labelTexts, type Page, pageOf, pageQuery } from "./paging.ts";

/** Which hosts, and which page of them. What is asked of instances must hold of one and the same. */
export const HostQuery = z.strictObject({
  ...pageQuery,
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
});
type HostQuery = z.output<typeof HostQuery>;

export interface HostPage extends Page<HostEntry> {
  readonly matching: number;
}

/** A page of those that match. */
export function hostPage(entries: readonly HostEntry[], query: HostQuery): HostPage {
  const matching = entries.filter(({ document }) => matches(document, query));
  return { matching: matching.length, ...pageOf(matching, ({ document }) => document.id, query) };
}

function matches(host: HostDocument, query: HostQuery): boolean {
  const { liveness, label, q } = query;
  return (
    (liveness === undefined || host.liveness === liveness) &&
    hasLabels(host.labels, label) &&
    hasInstance(host, query) &&
    hasText(textsOf(host), q)
  );
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

function textsOf({ id, address, labels, instances }: HostDocument): readonly string[] {
  return [
    id,
    address ?? "",
    ...labelTexts(labels),
    ...instances.flatMap(({ service, version, trouble }) => [service, version ?? "", trouble?.message ?? ""]),
  ];
}
