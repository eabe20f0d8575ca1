import { z } from "@hono/zod-openapi";
import type { Desk } from "./desk.ts";
import { type Api, type Endpoint, jsonAnswer } from "./endpoint.ts";
import { docsPage } from "./pages.ts";
import { problem } from "./problem.ts";

const Health = z.object({ status: z.literal("ok") });

/** For those who run the control plane: is it alive, can it work, what can it be asked. */
export function operationEndpoints(desk: Desk, api: Api, version: string): readonly Endpoint[] {
  const document = () => openApiDocument(api, version);
  return [
    {
      method: "get",
      path: "/healthz",
      summary: "The process answers",
      access: "open",
      responses: { 200: jsonAnswer("It does", Health) },
      handle: (context) => context.json({ status: "ok" }),
    },
    {
      method: "get",
      path: "/readyz",
      summary: "NATS is connected and the ledger can be written",
      access: "open",
      responses: { 200: jsonAnswer("They are", Health) },
      handle: (context) => {
        const errors = desk.troubles().map(({ what, message }) => ({ path: what, message }));
        if (errors.length === 0) return context.json({ status: "ok" });
        const message = errors.map((error) => `${error.path}: ${error.message}`).join("; ");
        return problem({ code: "not-ready", message, errors });
      },
    },
    {
      method: "get",
      path: "/metrics",
      summary: "Metrics for Prometheus",
      access: "admin",
      responses: { 200: { description: "Metrics", content: { "text/plain": { schema: z.string() } } } },
      handle: async (context) =>
        context.body(await desk.metrics.text(), 200, { "content-type": desk.metrics.mediaType }),
    },
    {
      method: "get",
      path: "/openapi.json",
      summary: "This API, for programs (OpenAPI 3.1)",
      access: "open",
      responses: { 200: jsonAnswer("The document", z.looseObject({})) },
      handle: (context) => context.json(document()),
    },
    {
      method: "get",
      path: "/docs",
      summary: "This API, for people",
      access: "open",
      responses: { 200: { description: "A page", content: { "text/html": { schema: z.string() } } } },
      handle: () => page(docsPage(document())),
    },
  ];
}

function openApiDocument(api: Api, version: string) {
  return api.getOpenAPI31Document({
    openapi: "3.1.0",
    info: { title: "Siding", version, description: "Zero-downtime deploys for VMs behind nginx" },
  });
}

/** Nothing of a page comes from elsewhere, and no script runs in it. */
function page(html: string): Response {
  return new Response(html, {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    },
  });
}
