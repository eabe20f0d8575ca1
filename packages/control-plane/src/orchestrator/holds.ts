import type { HostId } from "@siding/shared/ids";
import { err, ok, type Result } from "@siding/shared/result";
import type { EventBody } from "../ledger/event.ts";
import type { LedgerState } from "../ledger/state.ts";
import type { RolloutRecord } from "../rollout/record.ts";
import type { Refusal } from "./refusal.ts";
import { isListLost } from "./restate.ts";

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
  const having = underWay(state, hostId);
  const busy = having.find(({ origin }) => origin === "person");
  if (busy) {
    const message = `rollout ${busy.id} of ${busy.service} has ${hostId} in its plan; wait for it, or abort it`;
    return err({ code: "rollout-in-progress", message });
  }
  const held: EventBody = { type: "host-held", hostId, kind, comment };
  return ok([held, ...having.flatMap((rollout) => endConverging(rollout, hostId, `is ${kind} by hand`))]);
}

/** The host may serve again: the reconciler brings it to the service's target and back into traffic. */
export function releaseHost(state: LedgerState, hostId: HostId): Result<readonly EventBody[], Refusal> {
  const host = state.hosts.get(hostId);
  if (!host) return err(unknownHost(hostId));
  if (!host.hold) return ok([]);
  const ended = underWay(state, hostId).flatMap((rollout) =>
    endConverging(rollout, hostId, "may serve again"),
  );
  return ok([{ type: "host-released", hostId }, ...ended]);
}

/** Rollouts that have the host in their plan. One that waits in the queue is planned anew when its turn comes. */
function underWay({ services, rollouts }: LedgerState, hostId: HostId): readonly RolloutRecord[] {
  return [...services.values()]
    .flatMap(({ activeRollout }) => (activeRollout ? (rollouts.get(activeRollout) ?? []) : []))
    .filter(({ plan }) => plan.hosts.some((planned) => planned.hostId === hostId));
}

/** The code of a cause: what the fleet was doing of itself ends for what a person wants, and is no failure. */
export const givesWay = "gives-way";

function endConverging(
  { id, origin, intent }: RolloutRecord,
  hostId: HostId,
  why: string,
): readonly EventBody[] {
  if (origin === "person" || intent === "abort") return [];
  const cause = { code: givesWay, message: `gives way: ${hostId} ${why}` };
  return [{ type: "intent-set", rolloutId: id, intent: "abort", cause }];
}

/** Out of the fleet, and out of every list: shown no more, and may be switched off. */
export function goneHosts(state: LedgerState): ReadonlySet<HostId> {
  const removed = [...state.hosts.values()].filter(({ hold }) => hold?.kind === "removed");
  const listed = removed.length > 0 ? listedHosts(state) : null;
  if (listed === null) return new Set();
  return new Set(removed.map(({ hostId }) => hostId).filter((hostId) => !listed.has(hostId)));
}

/** Who is in some list; null as long as edges may serve lists that this ledger, restored from a backup, has never said. */
export function listedHosts(state: LedgerState): ReadonlySet<HostId> | null {
  if ([...state.services.values()].some((service) => isListLost(state, service))) return null;
  const lists = [...state.upstreams.values()].map(({ content }) => content.members);
  return new Set(lists.flatMap((members) => members.map(({ hostId }) => hostId)));
}

function unknownHost(hostId: HostId): Refusal {
  return { code: "unknown-host", message: `there is no host '${hostId}'` };
}
