import { createInterface } from "node:readline";
import { z } from "zod";
import type { Api } from "./api.ts";
import { openCall } from "./http-call.ts";

/** One server-sent event of a rollout. */
export type RolloutEvent = { readonly id: number; readonly type: string; readonly data: unknown };

/** A rollout may wait for minutes without an event. */
const SILENCE_MS = 600_000;

/** Where to begin, and what ends it early. */
type Following = { readonly after?: number; readonly until?: AbortSignal };

/** The events of a rollout as they come, after the one with the number `after`, until the server ends the stream. */
export async function* followEvents(
  api: Api,
  rollout: string,
  { after = 0, until }: Following = {},
): AsyncGenerator<RolloutEvent> {
  const headers: Record<string, string> = { authorization: `Bearer ${api.token}` };
  if (after > 0) headers["last-event-id"] = String(after);
  const url = `${api.url}/v1/rollouts/${rollout}/events`;
  const stream = await openCall({ method: "GET", url, headers }, SILENCE_MS, until);
  if (stream.statusCode !== 200) throw new Error(`${url} answered ${stream.statusCode}`);
  let fields = new Map<string, string>();
  for await (const line of createInterface(stream)) {
    if (line !== "") {
      const colon = line.indexOf(":");
      fields.set(line.slice(0, colon), line.slice(colon + 1).trimStart());
      continue;
    }
    // Without data it was a comment: a sign of life.
    if (fields.has("data")) yield eventOf(fields);
    fields = new Map();
  }
}

function eventOf(fields: ReadonlyMap<string, string>): RolloutEvent {
  const id = z.coerce.number().int().parse(fields.get("id"));
  return { id, type: fields.get("event") ?? "message", data: JSON.parse(fields.get("data") ?? "null") };
}
