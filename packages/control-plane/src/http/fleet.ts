import { z } from "@hono/zod-openapi";
import { HostId } from "@siding/shared/ids";
import { ControlBody, EdgeDocument, FleetDocument, HostDocument, listOf } from "@siding/shared/rest";
import type { Context } from "hono";
import { edgeDocuments, fleetDocument, hostDocument, hostDocuments } from "../orchestrator/document-fleet.ts";
import { excludeEdge, includeEdge } from "../orchestrator/edges.ts";
import type { HttpEnv } from "./auth.ts";
import { bodyOf } from "./body.ts";
import { type Desk, viewOf } from "./desk.ts";
import { type Endpoint, jsonAnswer, jsonBody } from "./endpoint.ts";
import { notCommitted, problem } from "./problem.ts";

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
    edgeEndpoint(desk, "exclude", "Go on without an edge: it may still route to hosts that are stopped"),
    edgeEndpoint(desk, "include", "Count an excluded edge again, once it serves what is wanted"),
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

function edgeEndpoint(desk: Desk, verb: "exclude" | "include", summary: string): Endpoint {
  return {
    method: "post",
    path: `/v1/edges/{id}/${verb}`,
    summary,
    access: "admin",
    request: { params: z.object({ id: HostId }), ...jsonBody(ControlBody, false) },
    responses: { 200: jsonAnswer("Taken; the edge as it stands", EdgeDocument) },
    handle: (context) => changeEdge(desk, context, verb),
  };
}

async function changeEdge(
  desk: Desk,
  context: Context<HttpEnv>,
  verb: "exclude" | "include",
): Promise<Response> {
  const body = await bodyOf(context, ControlBody, { optional: true });
  if (!body.ok) return problem(body.error);
  const id = context.req.param("id") as HostId;
  const { state } = desk.ledger;
  const events =
    verb === "exclude" ? excludeEdge(state, id, body.value.value.comment ?? null) : includeEdge(state, id);
  if (!events.ok) return problem(events.error);
  const committed = desk.orchestrator.commit(events.value, context.var.identity.by);
  if (!committed.ok) return problem(notCommitted(committed.error));
  return context.json(edgeDocuments(viewOf(desk)).find((edge) => edge.id === id));
}
