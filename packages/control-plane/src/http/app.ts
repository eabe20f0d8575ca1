import { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { matchedRoutes } from "hono/route";
import { artifactEndpoints } from "./artifacts.ts";
import type { HttpEnv } from "./auth.ts";
import { dashboardEndpoints } from "./dashboard.ts";
import type { Desk } from "./desk.ts";
import { type Api, addEndpoints, type Endpoint } from "./endpoint.ts";
import type { OpenStreams } from "./event-stream.ts";
import { fleetEndpoints } from "./fleet.ts";
import { fleetEventsEndpoint } from "./fleet-events.ts";
import { laterEndpoints } from "./later.ts";
import { operationEndpoints } from "./operations.ts";
import { problem } from "./problem.ts";
import { releaseEndpoints } from "./releases.ts";
import { restartEndpoints } from "./restarts.ts";
import { rolloutEventsEndpoint } from "./rollout-events.ts";
import { rolloutEndpoints } from "./rollouts.ts";
import { serviceEndpoints } from "./services.ts";

/** The whole API. Whatever it is asked, an error is a problem document. */
export function createApi(desk: Desk, open: OpenStreams, version: string): Api {
  const api = new OpenAPIHono<HttpEnv>();
  api.openAPIRegistry.registerComponent("securitySchemes", "bearer", { type: "http", scheme: "bearer" });
  const endpoints = [
    ...serviceEndpoints(desk),
    ...releaseEndpoints(desk),
    ...artifactEndpoints(desk),
    ...rolloutEndpoints(desk),
    ...restartEndpoints(desk),
    rolloutEventsEndpoint(desk, open),
    ...fleetEndpoints(desk),
    fleetEventsEndpoint(desk, open, version),
    ...laterEndpoints(),
    ...dashboardEndpoints(),
    ...operationEndpoints(desk, api, version),
  ];
  api.use(async (context, next) => {
    const startedMs = performance.now();
    await next();
    context.res.headers.set("x-content-type-options", "nosniff");
    // What is refused before it was read whole can't be followed by another request on the same connection.
    if (context.res.status === 413) context.res.headers.set("connection", "close");
    const { method, path } = context.req;
    const { status } = context.res;
    const level = method === "GET" || method === "HEAD" ? "debug" : "info";
    const durationMs = performance.now() - startedMs;
    desk.metrics.answered(method, routeOf(context), status, durationMs);
    const line = { event: "http-request", method, path, status, durationMs: Math.round(durationMs) };
    desk.log[level](line, "answered");
  });
  addEndpoints(api, desk.tokens, endpoints);
  api.notFound((context) => unrouted(endpoints, context.req.method, context.req.path));
  api.onError((cause) => {
    desk.log.error({ event: "http-handler-failed", err: cause }, "a request failed by a mistake of ours");
    return problem({ code: "internal", message: "a mistake in Siding; the control plane's log has more" });
  });
  return api;
}

/** The pattern that a request matched: there are few, whatever is asked for. */
function routeOf(context: Context): string {
  return matchedRoutes(context).findLast(({ path }) => path !== "/*")?.path ?? "none";
}

/** No route: because the path is unknown, or because it is not asked so. */
function unrouted(endpoints: readonly Endpoint[], method: string, path: string): Response {
  const here = endpoints.filter((endpoint) => patternOf(endpoint.path).test(path));
  if (here.length === 0) {
    return problem({ code: "not-found", message: `there is nothing at ${path}; /docs lists what there is` });
  }
  const allow = here.map((endpoint) => endpoint.method.toUpperCase()).join(", ");
  return problem({ code: "method-not-allowed", message: `${method} ${path}: only ${allow}` }, { allow });
}

function patternOf(path: string): RegExp {
  const pattern = path.replaceAll(/[.]/g, "\\.").replaceAll(/\{\w+\}/g, "[^/]+");
  return new RegExp(`^${pattern}$`);
}
