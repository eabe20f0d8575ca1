import { z } from "@hono/zod-openapi";
import type { Desk } from "./desk.ts";
import type { Endpoint } from "./endpoint.ts";
import { type OpenStreams, openStream } from "./event-stream.ts";
import { FleetFeed } from "./fleet-feed.ts";

const description = [
  "The whole fleet first, up to `complete`; then what has changed.",
  "`hello`: version and our time. `fleet`: summary and troubles. `services`, `edges`: all of them.",
  "`hosts`: those that changed, and the ids that are gone. `rollout`: one that changed; `rollouts-gone`: ids.",
].join("\n");

/** The fleet, live, for whoever watches. */
export function fleetEventsEndpoint(desk: Desk, open: OpenStreams, version: string): Endpoint {
  return {
    method: "get",
    path: "/v1/fleet/events",
    summary: "The fleet as it is, then as it changes (server-sent events)",
    access: "admin",
    responses: { 200: { description, content: { "text/event-stream": { schema: z.string() } } } },
    handle: () => openStream(open, new FleetFeed(desk, version)),
  };
}
