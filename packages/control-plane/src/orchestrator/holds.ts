import type { HostId } from "@siding/shared/ids";
import { isFinished } from "@siding/shared/phases";
import { err, ok, type Result } from "@siding/shared/result";
import type { EventBody } from "../ledger/event.ts";
import type { HostRecord, LedgerState } from "../ledger/state.ts";
import type { Refusal } from "./refusal.ts";

/**
 * Takes a host out of traffic by hand, or out of the fleet. The hold is on record at once; the reconciler drains the
 * host, as soon as capacity allows. Refused while a rollout has the host in its plan: it would bring it back.
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
  const busy = [...state.rollouts.values()].find(
    (rollout) =>
      rollout.origin === "person" &&
      !isFinished(rollout.status) &&
      rollout.plan.hosts.some((planned) => planned.hostId === hostId),
  );
  if (busy) {
    const message = `rollout ${busy.id} of ${busy.service} has ${hostId} in its plan; wait for it, or abort it`;
    return err({ code: "rollout-in-progress", message });
  }
  return ok([{ type: "host-held", hostId, kind, comment }]);
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
