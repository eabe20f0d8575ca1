import { z } from "@hono/zod-openapi";
import { ServiceName } from "@siding/shared/ids";
import { listOf, ServiceDocument } from "@siding/shared/rest";
import { SpecInput } from "@siding/shared/spec";
import type { Context } from "hono";
import { declareService } from "../orchestrator/declare.ts";
import { serviceDocument } from "../orchestrator/document-service.ts";
import type { HttpEnv } from "./auth.ts";
import { bodyOf } from "./body.ts";
import { type Desk, viewOf } from "./desk.ts";
import { type Endpoint, jsonAnswer } from "./endpoint.ts";
import { notCommitted, problem } from "./problem.ts";

const params = z.object({ service: ServiceName });

/** Services: what they are, and how each is rolled out. */
export function serviceEndpoints(desk: Desk): readonly Endpoint[] {
  return [
    {
      method: "put",
      path: "/v1/services/{service}",
      summary: "Declare a service, or change its spec",
      access: "admin",
      request: {
        params,
        body: {
          required: true,
          content: { "application/json": { schema: SpecInput }, "application/yaml": { schema: SpecInput } },
        },
      },
      responses: {
        200: jsonAnswer("Declared before; this is its spec now", ServiceDocument),
        201: jsonAnswer("Declared", ServiceDocument),
      },
      handle: (context) => declare(desk, context),
    },
    {
      method: "get",
      path: "/v1/services",
      summary: "List the services",
      access: "admin",
      responses: { 200: jsonAnswer("All services", listOf(ServiceDocument)) },
      handle: (context) => {
        const view = viewOf(desk);
        const items = [...view.state.services.values()].map((service) => serviceDocument(view, service));
        return context.json({ items });
      },
    },
    {
      method: "get",
      path: "/v1/services/{service}",
      summary: "Read a service",
      access: "admin",
      request: { params },
      responses: { 200: jsonAnswer("The service", ServiceDocument) },
      handle: (context) => readService(desk, context, 200),
    },
  ];
}

async function declare(desk: Desk, context: Context<HttpEnv>): Promise<Response> {
  const body = await bodyOf(context, SpecInput, { yaml: true });
  if (!body.ok) return problem(body.error);
  const { value: spec, written } = body.value;
  const named = context.req.param("service");
  if (spec.name !== named) {
    const message = `the spec's name is '${spec.name}', the address says '${named}'`;
    return problem({ code: "invalid-request", message, errors: [{ path: "name", message }] });
  }
  const { state } = desk.ledger;
  const isNew = !state.services.has(spec.name);
  const events = declareService(state, written as Record<string, unknown>, spec);
  if (!events.ok) return problem(events.error);
  const committed = desk.orchestrator.commit(events.value, context.var.identity.by);
  if (!committed.ok) return problem(notCommitted(committed.error));
  return readService(desk, context, isNew ? 201 : 200);
}

function readService(desk: Desk, context: Context<HttpEnv>, status: 200 | 201): Response {
  const view = viewOf(desk);
  const name = context.req.param("service") ?? "";
  const service = view.state.services.get(name as ServiceName);
  if (service) return context.json(serviceDocument(view, service), status);
  const message = `there is no service '${name}'; declare it with PUT /v1/services/${name}`;
  return problem({ code: "unknown-service", message });
}
