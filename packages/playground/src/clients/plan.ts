import { z } from "zod";
import { KindName } from "./kinds.ts";

/** Clients of one kind. Between two requests each thinks for 0 to twice `thinkMs`. */
const ClientGroup = z.object({ kind: KindName, clients: z.int().min(0), thinkMs: z.number().min(0) });

/** What the clients' process is told to do. */
export const TrafficPlan = z.object({
  target: z.object({ address: z.string(), port: z.int() }),
  /** Releases that may answer; an answer of another one is a failed request. */
  versions: z.array(z.string()).min(1),
  /** For connecting, and for one request with its answer. */
  timeoutMs: z.number().min(1),
  /** Ends by itself after this many requests; null goes on until it is stopped. */
  limit: z.int().min(1).nullable(),
  groups: z.array(ClientGroup).min(1),
});
export type TrafficPlan = z.infer<typeof TrafficPlan>;
