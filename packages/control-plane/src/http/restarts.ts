import { z } from "@hono/zod-openapi";
import { HostId, ServiceName } from "@siding/shared/ids";
import { HostRestartBody, RestartBody, RolloutDocument } from "@siding/shared/rest";
import type { Context } from "hono";
import { admitRestart } from "../orchestrator/restart.ts";
import type { HttpEnv } from "./auth.ts";
import { bodyOf } from "./body.ts";
import type { Desk } from "./desk.ts";
import { type Endpoint, jsonAnswer, jsonBody } from "./endpoint.ts";
import { problem } from "./problem.ts";
import { begin, idempotencyHeaders } from "./rollouts.ts";

const responses = {
  200: jsonAnswer("This very request was taken before; its rollout", RolloutDocument),
  201: jsonAnswer("Started: a rollout of each host to what it runs", RolloutDocument),
};

/** Restarts of a service, on one host or on all: rollouts like any other. */
export function restartEndpoints(desk: Desk): readonly Endpoint[] {
  return [
    {
      method: "post",
      path: "/v1/services/{service}/restart",
      summary: "Restart a service on the hosts named, or on all, batch by batch and without losing a request",
      access: "admin",
      request: {
        params: z.object({ service: ServiceName }),
        headers: idempotencyHeaders,
        ...jsonBody(RestartBody, false),
      },
      responses,
      handle: async (context) => {
        const body = await bodyOf(context, RestartBody, { optional: true });
        if (!body.ok) return problem(body.error);
        return restart(desk, context, context.req.param("service") as ServiceName, body.value.value);
      },
    },
    {
      method: "post",
      path: "/v1/hosts/{id}/restart",
      summary: "Restart a service on one host: out of traffic, drained, restarted, verified, back in",
      access: "admin",
      request: {
        params: z.object({ id: HostId }),
        headers: idempotencyHeaders,
        ...jsonBody(HostRestartBody),
      },
      responses,
      handle: async (context) => {
        const body = await bodyOf(context, HostRestartBody);
        if (!body.ok) return problem(body.error);
        const { service, ...asked } = body.value.value;
        return restart(desk, context, service, { ...asked, hosts: [context.req.param("id") as HostId] });
      },
    },
  ];
}

function restart(desk: Desk, context: Context<HttpEnv>, service: ServiceName, body: RestartBody): Response {
  return begin(desk, context, { restart: service, body }, (request) =>
    admitRestart(desk.ledger.state, desk.beats.view(), service, body, request),
  );
}
