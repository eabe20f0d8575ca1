import { z } from "zod";
import { FailureReason } from "./failure.ts";
import { KindName } from "./kinds.ts";

/** One failed request. `atMs` is wall clock, to lay it beside the rollout's events. */
const FailedRequest = z.object({
  kind: KindName,
  reason: FailureReason,
  detail: z.string(),
  atMs: z.number(),
});
export type FailedRequest = z.infer<typeof FailedRequest>;

const KindCounts = z.object({
  kind: KindName,
  requests: z.int(),
  failed: z.int(),
  p50Ms: z.number(),
  p99Ms: z.number(),
  maxMs: z.number(),
});

/** Answers of one release; the instants are wall clock. */
const VersionCounts = z.object({
  version: z.string(),
  answers: z.int(),
  firstAtMs: z.number(),
  lastAtMs: z.number(),
});

/** What the clients have seen. Every request that was begun and has ended is in here, once. */
export const Counts = z.object({
  requests: z.int(),
  failed: z.int(),
  /** Connections that the server closed between two requests: its right, but a proxy that is not reloaded does not. */
  idleCloses: z.int(),
  kinds: z.array(KindCounts),
  versions: z.array(VersionCounts),
  /** The first ones; `failed` counts them all. */
  failures: z.array(FailedRequest),
});
export type Counts = z.infer<typeof Counts>;

/** A short text for a person: how many failed, and the first of them. */
export function describeFailures(counts: Counts): string {
  const shown = counts.failures
    .slice(0, 5)
    .map(
      ({ kind, reason, detail, atMs }) =>
        `  ${new Date(atMs).toISOString().slice(11, 23)} ${kind} ${reason}: ${detail}`,
    );
  return [`${counts.failed} of ${counts.requests} requests failed`, ...shown].join("\n");
}
