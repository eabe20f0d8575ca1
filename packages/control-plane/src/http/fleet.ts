import { z } from "@hono/zod-openapi";
import { HostId } from "@siding/shared/ids";
import { EdgeDocument, FleetDocument, HostDocument, listOf } from "@siding/shared/rest";
import { edgeDocuments, fleetDocument, hostDocument, hostDocuments } from "../orchestrator/document-fleet.ts";
import { type Desk, viewOf } from "./desk.ts";
import { type Endpoint, jsonAnswer } from "./endpoint.ts";
import { problem } from "./problem.ts";

/** The fleet, its hosts and its edges, to read. */
export function fleetEndpoints(desk: Desk): readonly Endpoint[] {
  return [
    {
      method: "get",
      path: "/v1/fleet",
      summary: "Summary and every host",
      access: "admin",
      responses: { 200: jsonAnswer("The fleet", FleetDocument) },
      handle: (context) => context.json(fleetDocument(viewOf(desk))),
    },
    {
      method: "get",
      path: "/v1/hosts",
      summary: "List the hosts",
      access: "admin",
      responses: { 200: jsonAnswer("All hosts", listOf(HostDocument)) },
      handle: (context) => {
        return context.json({ items: hostDocuments(viewOf(desk)) });
      },
    },
    {
      method: "get",
      path: "/v1/hosts/{id}",
      summary: "Read a host",
      access: "admin",
      request: { params: z.object({ id: HostId }) },
      responses: { 200: jsonAnswer("The host", HostDocument) },
      handle: (context) => {
        const id = context.req.param("id") ?? "";
        const document = hostDocument(viewOf(desk), id as HostId);
        if (document) return context.json(document);
        return problem({
          code: "unknown-host",
          message: `there is no host '${id}'; declare it in the config`,
        });
      },
    },
    {
      method: "get",
      path: "/v1/edges",
      summary: "List the edges: what each should serve and what it serves",
      access: "admin",
      responses: { 200: jsonAnswer("All edges", listOf(EdgeDocument)) },
      handle: (context) => context.json({ items: edgeDocuments(viewOf(desk)) }),
    },
  ];
}
