import { z } from "@hono/zod-openapi";
import type { EdgeDocument } from "@siding/shared/rest";
import { hasLabels, hasText, labelTexts, type Page, pageOf, pageQuery } from "./paging.ts";

/** Which edges, and which page of them. `service`: those that route to it. */
export const EdgeQuery = z.strictObject({
  ...pageQuery,
  q: z
    .string()
    .max(200)
    .optional()
    .openapi({ description: "text in id, address, labels, upstream or trouble" }),
});
type EdgeQuery = z.output<typeof EdgeQuery>;

/** A page of those that match. */
export function edgePage(edges: readonly EdgeDocument[], query: EdgeQuery): Page<EdgeDocument> {
  const matching = edges.filter((edge) => matches(edge, query));
  return pageOf(matching, ({ id }) => id, query);
}

function matches(edge: EdgeDocument, { liveness, label, service, q }: EdgeQuery): boolean {
  return (
    (liveness === undefined || edge.liveness === liveness) &&
    hasLabels(edge.labels, label) &&
    (service === undefined || edge.upstreams.some((upstream) => upstream.service === service)) &&
    hasText(textsOf(edge), q)
  );
}

function textsOf({ id, address, labels, upstreams }: EdgeDocument): readonly string[] {
  return [
    id,
    address ?? "",
    ...labelTexts(labels),
    ...upstreams.flatMap(({ upstream, refused, trouble }) => [upstream, refused ?? "", trouble ?? ""]),
  ];
}
