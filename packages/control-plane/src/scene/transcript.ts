import type { LedgerEvent } from "../ledger/event.ts";
import type { ActionOf } from "../rollout/action.ts";

/** What the core decided, one line an event: golden files that a person can read and object to. */
export function transcript(log: readonly LedgerEvent[]): string {
  return `${log.flatMap((event) => lineOf(event) ?? []).join("\n")}\n`;
}

function lineOf({ body }: LedgerEvent): string | null {
  switch (body.type) {
    case "rollout-created": {
      const { plan } = body.rollout;
      const batches = plan.batches.map((batch) => `[${batch.join(" ")}]`).join(" ");
      const absent = plan.absent.length > 0 ? ` absent ${plan.absent.join(" ")}` : "";
      return `plan ${plan.kind}: ${batches}${plan.whole ? " whole" : ""}${absent}; at least ${plan.minServing} of ${plan.base} serve`;
    }
    case "rollout-planned": {
      const moves = body.plan.hosts.map((host) => `${host.hostId}>${host.goal?.release.version ?? "-"}`);
      return `plan ${body.plan.kind}: ${moves.join(" ") || "nothing"}; keep ${body.keep.join(" ") || "none"}`;
    }
    case "batch-started":
      return `batch ${body.hosts.join(" ")}${body.planned > body.hosts.length ? ` of ${body.planned}` : ""}`;
    case "batch-finished":
      return `batch ${body.batch + 1} finished`;
    case "upstream-revised":
      return revisionLine(body);
    case "command-issued":
      return `  ${body.hostId} ${body.body.kind} ${body.body.target.release.version}`;
    case "rollout-hook-started":
      return `hook beforeRollout on ${body.hostId}`;
    case "rollout-hook-ended":
      return `hook beforeRollout ${body.outcome}${body.failure ? `: ${body.failure.message}` : ""}`;
    case "host-failed":
      return `  ${body.hostId} FAILED ${body.phase}: ${body.failure.message}`;
    case "host-settled":
      return `  ${body.hostId} settled on ${body.on?.release.version ?? "nothing"}`;
    case "intent-set":
      return `intent ${body.intent}: ${body.cause?.message ?? "-"}`;
    case "rollout-finished":
      return `finished ${body.status}`;
    case "control-plane-started":
    case "service-declared":
    case "artifact-registered":
    case "release-registered":
    case "host-reported":
    case "rollout-started":
    case "host-held":
    case "host-released":
    case "edge-excluded":
    case "edge-included":
    case "command-refused":
    case "fleet-ahead":
    case "fleet-resumed":
    case "instance-observed":
    case "upstream-observed":
    case "rollout-promoted":
    case "phase-changed":
    case "status-changed":
      return null;
  }
}

function revisionLine({ content, together }: ActionOf<"upstream-revised">): string {
  const members = content.members.map((member) => `${member.hostId}=${member.targetId.split("@")[0]}`);
  const watch = content.watch.map(({ hostId }) => hostId);
  const watched = watch.length > 0 ? ` watch ${watch.join(" ")}` : "";
  return `  upstream ${members.join(" ") || "empty"}${watched}${together && together.length > 1 ? `, together ${together.join(" ")}` : ""}`;
}
