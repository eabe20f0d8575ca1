import type { OpenAPIHono, RouteConfig } from "@hono/zod-openapi";
import { Problem } from "@siding/shared/problem";
import type { Context } from "hono";
import type { z } from "zod";
import { type Access, guard, type HttpEnv, type Tokens } from "./auth.ts";
import { problemMediaType } from "./problem.ts";

type Handler = (context: Context<HttpEnv>) => Response | Promise<Response>;

/** One call of the API: what the documentation says of it, who may make it, and what it does. */
export interface Endpoint {
  readonly method: "get" | "put" | "post" | "delete";
  /** As in OpenAPI: `/v1/hosts/{id}`. */
  readonly path: string;
  readonly summary: string;
  readonly access: Access;
  readonly request?: RouteConfig["request"];
  readonly responses: RouteConfig["responses"];
  readonly handle: Handler;
}

export type Api = OpenAPIHono<HttpEnv>;

/** Adds endpoints to the routes and to the OpenAPI document at once: neither can have one that the other has not. */
export function addEndpoints(api: Api, tokens: Tokens, endpoints: readonly Endpoint[]): void {
  for (const { handle, access, ...described } of endpoints) {
    api.openAPIRegistry.registerPath(documented(described, access));
    api.on(described.method, routePath(described.path), guard(tokens, access), handle);
  }
}

function routePath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ":$1");
}

function documented(endpoint: Omit<Endpoint, "handle" | "access">, access: Access): RouteConfig {
  const { request, ...rest } = endpoint;
  return {
    ...rest,
    ...(request === undefined ? {} : { request }),
    security: access === "open" ? [] : [{ bearer: [] }],
    responses: {
      ...endpoint.responses,
      default: {
        description: "Refused: the problem document says why",
        content: { [problemMediaType]: { schema: Problem } },
      },
    },
  };
}

/** The documentation of an answer in JSON. */
export function jsonAnswer(description: string, schema: z.ZodType) {
  return { description, content: { "application/json": { schema } } };
}

export function jsonBody(schema: z.ZodType, required = true) {
  return { body: { required, content: { "application/json": { schema } } } };
}
