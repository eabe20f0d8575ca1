import type { RolloutDocument } from "@siding/shared/rest";
import type { Counts } from "../clients/counts.ts";

export type DemoResult = {
  readonly counts: Counts;
  readonly rollout: RolloutDocument;
  readonly from: string;
};

/** The one line of `--json`. */
export function jsonSummary({ counts, rollout, from }: DemoResult): string {
  return JSON.stringify({
    requests: counts.requests,
    failed: counts.failed,
    reloads: reloadsOf(rollout),
    batches: rollout.plan.batches.length,
    rolloutMs: durationMs(rollout),
    from,
    to: rollout.to.version,
  });
}

/** The same for a person. */
export function humanSummary({ counts, rollout, from }: DemoResult): string {
  const { hosts, plan } = rollout;
  const seconds = (durationMs(rollout) / 1_000).toFixed(1);
  return [
    `${from} -> ${rollout.to.version} ${rollout.status} on ${hosts.length} hosts in ${seconds} s`,
    `${counts.requests} requests, ${counts.failed} failed`,
    `${plan.batches.length} batches, ${reloadsOf(rollout)} reloads of nginx`,
  ].join("\n");
}

/** Of the edge that was reloaded most. */
export function reloadsOf(rollout: RolloutDocument): number {
  return Math.max(0, ...Object.values(rollout.reloads));
}

/** From the request to the verdict, by the control plane's clock. */
function durationMs({ createdAt, finishedAt }: RolloutDocument): number {
  return Date.parse(finishedAt ?? new Date().toISOString()) - Date.parse(createdAt);
}
