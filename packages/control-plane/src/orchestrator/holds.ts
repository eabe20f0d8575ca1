import type { HostId } from "@siding/shared/ids";
import { err, ok, type Result } from "@siding/shared/result";
import type { EventBody } from "../ledger/event.ts";
import type { HostRecord, LedgerState } from "../ledger/state.ts";
import type { Refusal } from "./refusal.ts";

/**
 * Takes a host out of traffic by hand, or out of the fleet. The hold is on record at once; the reconciler drains the
 * host, as soon as capacity allows. Refused while a rollout of a person has the host in its plan: it would bring it
 * back. What the fleet brings in of itself gives way.
 */
export function holdHost(
  state: LedgerState,
  hostId: HostId,
  kind: "drained" | "removed",
  comment: string | null,
): Result<readonly EventBody[], Refusal> {
  const host = state.hosts.get(hostId);
  if (!host) return err(unknownHost(hostId));
  if (host.hold?.kind === kind) return ok([]);
  // One that waits in the queue is planned anew when its turn comes.
  const having = [...state.services.values()]
    .flatMap(({ activeRollout }) => (activeRollout ? (state.rollouts.get(activeRollout) ?? []) : []))
    .filter(({ plan }) => plan.hosts.some((planned) => planned.hostId === hostId && planned.goal !== null));
  const busy = having.find(({ origin }) => origin === "person");
  if (busy) {
    const message = `rollout ${busy.id} of ${busy.service} has ${hostId} in its plan; wait for it, or abort it`;
    return err({ code: "rollout-in-progress", message });
  }
  const cause = { code: "gives-way", message: `${hostId} is ${kind} by hand` };
  const converging = having.filter(({ intent }) => intent !== "abort");
  return ok([
    { type: "host-held", hostId, kind, comment },
    ...converging.map(({ id }): EventBody => ({ type: "intent-set", rolloutId: id, intent: "abort", cause })),
  ]);
}

/** The host may serve again: the reconciler brings it to the service's target and back into traffic. */
export function releaseHost(state: LedgerState, hostId: HostId): Result<readonly EventBody[], Refusal> {
  const host = state.hosts.get(hostId);
  if (!host) return err(unknownHost(hostId));
  return ok(host.hold ? [{ type: "host-released", hostId }] : []);
}

/** Out of the fleet, and out of every list: shown no more. */
export function isGone(state: LedgerState, host: HostRecord): boolean {
  if (host.hold?.kind !== "removed") return false;
  return [...state.upstreams.values()].every(({ content }) =>
    content.members.every((member) => member.hostId !== host.hostId),
  );
}

function unknownHost(hostId: HostId): Refusal {
  return { code: "unknown-host", message: `there is no host '${hostId}'` };
}
