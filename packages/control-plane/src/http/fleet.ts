import { z } from "@hono/zod-openapi";
import { HostId } from "@siding/shared/ids";

import {
  ControlBody,
  EdgeDocument,
  FleetDocument,
  FleetSummary,
  HostDocument,
  listOf,
} from "@siding/shared/rest";
import type { Context } from "hono";
import { resumeFleet } from "../orchestrator/behind.ts";
import { edgeDocuments, fleetSummary, hostDocument } from "../orchestrator/document-fleet.ts";
import { excludeEdge, includeEdge } from "../orchestrator/edges.ts";
import { goneHosts, holdHost, releaseHost } from "../orchestrator/holds.ts";
import type { HttpEnv } from "./auth.ts";
import { bodyOf } from "./body.ts";
import { conditionalJson } from "./conditional.ts";
import { type Desk, viewOf } from "./desk.ts";
import { EdgeQuery, edgePage } from "./edge-query.ts";
import { type Endpoint, jsonAnswer, jsonBody } from "./endpoint.ts";
import { HostQuery, hostPage } from "./host-query.ts";
import { queryOf } from "./paging.ts";
import { notCommitted, problem } from "./problem.ts";

const notModified = { description: "As it was: `If-None-Match` has its ETag" };

/** The fleet, its hosts and its edges, to read. */
export function fleetEndpoints(desk: Desk): readonly Endpoint[] {
  return [
    {
      method: "get",
      path: "/v1/fleet",
      summary: "Summary of the fleet, and a page of its hosts",
      access: "admin",
      request: { query: HostQuery },
      responses: { 200: jsonAnswer("The fleet", FleetDocument), 304: notModified },
      handle: (context) => answerFleet(desk, context),
    },
    {
      method: "post",
      path: "/v1/fleet/resume",
      summary: "Go on with the fleet as it is, after a backup was restored; paused rollouts stay paused",
      access: "admin",
      request: jsonBody(ControlBody, false),
      responses: { 200: jsonAnswer("Taken, or nothing waited for it; the fleet as it stands", FleetSummary) },
      handle: (context) => changeFleet(desk, context),
    },
    {
      method: "get",
      path: "/v1/hosts",
      summary: "List the hosts",
      access: "admin",
      request: { query: HostQuery },
      responses: { 200: jsonAnswer("A page of hosts", listOf(HostDocument)), 304: notModified },
      handle: (context) => answerHosts(desk, context),
    },
    {
      method: "get",
      path: "/v1/hosts/{id}",
      summary: "Read a host",
      access: "admin",
      request: { params: z.object({ id: HostId }) },
      responses: { 200: jsonAnswer("The host", HostDocument) },
      handle: (context) => answerHost(desk, context),
    },
    edgeEndpoint(desk, "exclude", "Go on without an edge: it may still route to hosts that are stopped"),
    edgeEndpoint(desk, "include", "Count an excluded edge again, once it serves what is wanted"),
    holdEndpoint(
      desk,
      "post",
      "/v1/hosts/{id}/drain",
      "drained",
      "Take a host out of traffic: a hold that rollouts never undo",
    ),
    holdEndpoint(
      desk,
      "delete",
      "/v1/hosts/{id}",
      "removed",
      "Take a host out of the fleet: it is drained first",
    ),
    holdEndpoint(
      desk,
      "post",
      "/v1/hosts/{id}/rejoin",
      null,
      "Give a held host back: it is brought to what the others serve",
    ),
    {
      method: "get",
      path: "/v1/edges",
      summary: "List the edges: what each should serve and what it serves",
      access: "admin",
      request: { query: EdgeQuery },
      responses: { 200: jsonAnswer("A page of edges", listOf(EdgeDocument)), 304: notModified },
      handle: (context) => answerEdges(desk, context),
    },
  ];
}

function answerHost(desk: Desk, context: Context<HttpEnv>): Response {
  const id = context.req.param("id") as HostId;
  const view = viewOf(desk);
  const hold = goneHosts(view.state).has(id) ? view.state.hosts.get(id)?.hold : null;
  const document = hold ? undefined : hostDocument(view, id);
  if (document) return context.json(document);
  const message = hold
    ? `host '${id}' was removed by ${hold.by} at ${hold.at}; POST /v1/hosts/${id}/rejoin takes it back`
    : `there is no host '${id}'; declare it in the config`;
  return problem({ code: "unknown-host", message });
}

/** Put together from the texts of the hosts, which are made once: of 10,000 hosts few have changed since. */
function answerFleet(desk: Desk, context: Context<HttpEnv>): Response {
  const query = queryOf(context, HostQuery);
  if (!query.ok) return problem(query.error);
  const view = viewOf(desk);
  const entries = desk.catalogue.entries(view);
  const { matching, page, next } = hostPage(entries, query.value);
  const head = {
    ...fleetSummary(
      view,
      entries.map(({ document }) => document),
    ),
    matching,
    ...(next === null ? {} : { next }),
  };
  const hosts = page.map(({ text }) => text).join();
  return conditionalJson(context, `${JSON.stringify(head).slice(0, -1)},"hosts":[${hosts}]}`);
}

async function changeFleet(desk: Desk, context: Context<HttpEnv>): Promise<Response> {
  const body = await bodyOf(context, ControlBody, { optional: true });
  if (!body.ok) return problem(body.error);
  const events = resumeFleet(desk.ledger.state, body.value.value.comment ?? null);
  const committed = desk.orchestrator.commit(events, context.var.identity.by);
  if (!committed.ok) return problem(notCommitted(committed.error));
  const view = viewOf(desk);
  const documents = desk.catalogue.entries(view).map(({ document }) => document);
  return context.json(fleetSummary(view, documents));
}

function answerHosts(desk: Desk, context: Context<HttpEnv>): Response {
  const query = queryOf(context, HostQuery);
  if (!query.ok) return problem(query.error);
  const { page, next } = hostPage(desk.catalogue.entries(viewOf(desk)), query.value);
  const items = page.map(({ text }) => text).join();
  return conditionalJson(
    context,
    `{"items":[${items}]${next === null ? "" : `,"next":${JSON.stringify(next)}`}}`,
  );
}

function answerEdges(desk: Desk, context: Context<HttpEnv>): Response {
  const query = queryOf(context, EdgeQuery);
  if (!query.ok) return problem(query.error);
  const { page, next } = edgePage(edgeDocuments(viewOf(desk)), query.value);
  return conditionalJson(context, JSON.stringify({ items: page, ...(next === null ? {} : { next }) }));
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

type Hold = "drained" | "removed";

function holdEndpoint(
  desk: Desk,
  method: "post" | "delete",
  path: string,
  kind: Hold | null,
  summary: string,
): Endpoint {
  return {
    method,
    path,
    summary,
    access: "admin",
    request: { params: z.object({ id: HostId }), ...(method === "post" ? jsonBody(ControlBody, false) : {}) },
    responses: { 200: jsonAnswer("Taken; the host as it stands", HostDocument) },
    handle: (context) => changeHold(desk, context, kind),
  };
}

async function changeHold(desk: Desk, context: Context<HttpEnv>, kind: Hold | null): Promise<Response> {
  const body = await bodyOf(context, ControlBody, { optional: true });
  if (!body.ok) return problem(body.error);
  const id = context.req.param("id") as HostId;
  const { state } = desk.ledger;
  const comment = body.value.value.comment ?? null;
  const events = kind === null ? releaseHost(state, id) : holdHost(state, id, kind, comment);
  if (!events.ok) return problem(events.error);
  const committed = desk.orchestrator.commit(events.value, context.var.identity.by);
  if (!committed.ok) return problem(notCommitted(committed.error));
  return context.json(hostDocument(viewOf(desk), id));
}
