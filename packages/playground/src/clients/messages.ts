import { z } from "zod";
import { Counts } from "./counts.ts";

/** What the clients' process can be asked for, after its plan. */
export const TrafficOrder = z.object({ order: z.enum(["read", "stop"]) });
export type TrafficOrder = z.infer<typeof TrafficOrder>;

/** What it answers; `final` once every client has ended. */
export const TrafficReport = z.object({ final: z.boolean(), counts: Counts });
export type TrafficReport = z.infer<typeof TrafficReport>;

/** The relay's only word: where it listens. */
export const RelayReport = z.object({ port: z.int() });
