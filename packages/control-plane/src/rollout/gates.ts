import { defaults } from "@siding/shared/defaults";
import type { WaitingReason } from "@siding/shared/phases";
import { formatMs } from "@siding/shared/units";
import { conflictReason, conflictsIn } from "./conflict.ts";
import { silenceDeadlineMs } from "./limits.ts";
import type { Cause } from "./record.ts";
import { countedEdges, type HostView, isSetAside, type Snapshot, whyNoEdge } from "./snapshot.ts";
import type { Survey } from "./survey.ts";

/** A gate that stands between two batches. Past `pauseAtMs` the rollout pauses with `cause`: no gate waits for ever. */
export interface ClosedGate {
  readonly reason: WaitingReason;
  readonly pause: { readonly atMs: number; readonly cause: Cause } | null;
}

/**
 * The gates before the next batch, closed ones only. `forward` is false on the way back, where a person or a failure
 * wants out: no window, approval, bake or headroom gate then, and silence of one host does not hold the others.
 */
export function closedGates(survey: Survey, forward: boolean): readonly ClosedGate[] {
  const { snapshot } = survey;
  const always = [blindGate(snapshot), edgesGate(survey), ...conflictGates(survey)];
  const onlyForward = forward ? [unknownGate(snapshot), silenceGate(survey), bakeGate(survey)] : [];
  return [...always, ...onlyForward].filter((gate) => gate !== null);
}

/**
 * A restored ledger changes nothing before every edge has said what it has: any list that it would say is of before. Null
 * where all have.
 */
export function restoredGate({ rollout, snapshot }: Survey): ClosedGate | null {
  const lost = snapshot.edges.find(({ isFromBackup }) => isFromBackup);
  if (!lost) return null;
  const atMs = Math.max(rollout.createdAtMs, rollout.resumedAtMs) + defaults.edgeDeadlineMs;
  const message = `edge ${lost.hostId} is not heard from since this ledger was found to be older than its fleet: nobody knows what it serves, and nothing is changed. Check siding-agent there, or go on without it: POST /v1/edges/${lost.hostId}/exclude`;
  const code = "edge-silent";
  return {
    reason: { code, message, hostId: lost.hostId, untilMs: atMs },
    pause: { atMs, cause: { code, message } },
  };
}

/** Whoever is blind counts nothing and moves nothing; what is in hand is gone on with when the fleet is heard again. */
export function blindGate({ blind }: Snapshot): ClosedGate | null {
  if (blind === null) return null;
  const why = {
    disconnected: "the control plane has no connection to NATS",
    "crowd-silent": "so many agents fell silent together that the control plane must be cut off",
  }[blind];
  const message = `${why}; nothing is counted and nothing moves until the agents are heard again. Check the control plane's network and its NATS`;
  return { reason: { code: "blind", message }, pause: null };
}

export function unknownGate(snapshot: Snapshot): ClosedGate | null {
  const unknown = snapshot.hosts.filter(
    (host) => host.liveness.kind === "unknown" && !isSetAside(snapshot, host),
  );
  if (unknown.length === 0) return null;
  const message = `not heard from ${names(unknown)} since the control plane connected; a host that stays silent is named`;
  return { reason: { code: "hosts-unknown", message }, pause: null };
}

/** Silence stops new removals; it spends no budget. Hosts that this plan leaves aside do not count. */
function silenceGate({ rollout, snapshot }: Survey): ClosedGate | null {
  const silent = snapshot.hosts.filter(
    (host) =>
      host.liveness.kind === "silent" &&
      !rollout.plan.absent.includes(host.hostId) &&
      !isSetAside(snapshot, host),
  );
  const first = silent[0];
  if (!first) return null;
  const sinceMs = Math.max(first.liveness.heardMs, rollout.resumedAtMs);
  const troubles = silent.flatMap(({ hostId, trouble }) => (trouble ? [`; ${hostId} says: ${trouble}`] : []));
  const message = `${names(silent)} silent: no more hosts are taken out. Check siding-agent there${troubles.join("")}`;
  return {
    reason: { code: "host-silent", message, hostId: first.hostId, untilMs: sinceMs + silenceDeadlineMs },
    pause: { atMs: sinceMs + silenceDeadlineMs, cause: { code: "host-silent", message } },
  };
}

/** One for each id that two agents claim. */
export function conflictGates({ rollout, snapshot }: Survey): readonly ClosedGate[] {
  return conflictsIn(snapshot).flatMap((agent): ClosedGate[] => {
    const reason = conflictReason(agent, rollout.resumedAtMs);
    if (reason === null) return [];
    const { code, message, untilMs: atMs } = reason;
    return [{ reason, pause: { atMs, cause: { code, message } } }];
  });
}

/** A removal needs every counted edge, so none starts that an edge can't confirm. */
function edgesGate({ rollout, snapshot }: Survey): ClosedGate | null {
  const edges = countedEdges(snapshot);
  if (edges.length === 0) {
    return { reason: { code: "edge-confirm", message: whyNoEdge(snapshot) }, pause: null };
  }
  const silent = edges.find((edge) => edge.liveness.kind !== "alive" || edge.confirmed === 0);
  if (!silent) return null;
  const sinceMs = silent.liveness.kind === "alive" ? rollout.createdAtMs : silent.liveness.heardMs;
  const atMs = Math.max(sinceMs, rollout.resumedAtMs) + defaults.edgeDeadlineMs;
  const what =
    silent.liveness.kind === "alive"
      ? `edge ${silent.hostId} has not confirmed any revision of upstream ${snapshot.upstream.name} yet`
      : `edge ${silent.hostId} is not heard from: no host is taken out that it might still route to. Check siding-agent there`;
  const message = silent.trouble === null ? what : `${what}; it says: ${silent.trouble.message}`;
  const code = silent.liveness.kind === "alive" ? ("edge-confirm" as const) : ("edge-silent" as const);
  return {
    reason: { code, message, hostId: silent.hostId, untilMs: atMs },
    pause: { atMs, cause: { code, message } },
  };
}

/**
 * Bake time: in traffic, after a batch has joined, before the next one leaves. A person may cut it short (promote). The
 * halves of in-place have nothing to bake between them: the first one comes into traffic only with the swap.
 */
function bakeGate({ rollout, nowMs }: Survey): ClosedGate | null {
  if (rollout.bakeTimeMs === 0 || rollout.batches.length === 0 || rollout.plan.whole) return null;
  if (rollout.promotedBatches >= rollout.batches.length) return null;
  const last = rollout.batches.at(-1);
  const untilMs = (last?.finishedAtMs ?? nowMs) + rollout.bakeTimeMs;
  if (last?.finishedAtMs !== null && nowMs >= untilMs) return null;
  const message = `batch ${rollout.batches.length} bakes in traffic for ${formatMs(rollout.bakeTimeMs)}; promote goes on at once`;
  return { reason: { code: "bake", message, untilMs }, pause: null };
}

function names(hosts: readonly HostView[]): string {
  const shown = hosts.slice(0, 5).map((host) => host.hostId);
  const more = hosts.length - shown.length;
  return `${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""} ${hosts.length === 1 ? "is" : "are"}`;
}
