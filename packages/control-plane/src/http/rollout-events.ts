import { z } from "@hono/zod-openapi";
import { RolloutId } from "@siding/shared/ids";
import { isFinished } from "@siding/shared/phases";
import type { Context } from "hono";
import { type LedgerEvent, rolloutOf } from "../ledger/event.ts";
import type { HttpEnv } from "./auth.ts";
import type { Desk } from "./desk.ts";
import type { Endpoint } from "./endpoint.ts";
import { type MessageSource, type OpenStreams, openStream, type StreamMessage } from "./event-stream.ts";
import { problem } from "./problem.ts";

const pageEvents = 50;

/** The events of a rollout, live, for whoever watches. */
export function rolloutEventsEndpoint(desk: Desk, open: OpenStreams): Endpoint {
  return {
    method: "get",
    path: "/v1/rollouts/{id}/events",
    summary: "The rollout's events as they happen (server-sent events); ends when it has finished",
    access: "admin",
    request: {
      params: z.object({ id: RolloutId }),
      headers: z.object({
        "Last-Event-ID": z.string().optional().openapi({ description: "go on after this one" }),
      }),
    },
    responses: {
      200: {
        description: "`id`: ledger sequence, `event`: type, `data`: the event as JSON",
        content: { "text/event-stream": { schema: z.string() } },
      },
      204: { description: "It has finished, and there is nothing after Last-Event-ID" },
    },
    handle: (context) => watch(desk, open, context),
  };
}

function watch(desk: Desk, open: OpenStreams, context: Context<HttpEnv>): Response {
  const id = context.req.param("id") as RolloutId;
  if (!desk.ledger.state.rollouts.has(id)) {
    return problem({ code: "unknown-rollout", message: `there is no rollout '${id}'` });
  }
  const given = context.req.header("last-event-id") ?? "0";
  const after = /^\d{1,15}$/.test(given) ? Number(given) : null;
  if (after === null) {
    const errors = [{ path: "Last-Event-ID", message: "not the id of an event" }];
    return problem({ code: "invalid-request", message: `Last-Event-ID '${given}' is no event's id`, errors });
  }
  // To an EventSource, 204 says "do not come back"; an end of the stream would say the opposite.
  if (isOver(desk, id) && eventsAfter(desk, id, after).length === 0)
    return new Response(null, { status: 204 });
  return openStream(open, sourceOf(desk, id, after));
}

function isOver({ ledger }: Desk, id: RolloutId): boolean {
  return isFinished(ledger.state.rollouts.get(id)?.status ?? "failed");
}

function eventsAfter({ ledger }: Desk, rolloutId: RolloutId, after: number): readonly LedgerEvent[] {
  const events = ledger.events({ after, limit: pageEvents, rolloutId });
  if (events.ok) return events.value;
  throw new Error(events.error.message, { cause: events.error });
}

function sourceOf(desk: Desk, rolloutId: RolloutId, after: number): MessageSource {
  let cursor = after;
  return {
    read: () => {
      const events = eventsAfter(desk, rolloutId, cursor);
      cursor = events.at(-1)?.sequence ?? cursor;
      return events.map(messageOf);
    },
    isOver: () => isOver(desk, rolloutId),
    subscribe: (listener) =>
      desk.ledger.onCommit((events) => {
        if (events.some(({ body }) => rolloutOf(body) === rolloutId)) listener();
      }),
  };
}

function messageOf({ sequence, at, by, body }: LedgerEvent): StreamMessage {
  return { id: sequence, event: body.type, data: { sequence, at, by, ...body } };
}
