import type { ServiceName } from "@siding/shared/ids";
import type { RolloutBody } from "@siding/shared/rest";
import { err, ok, type Result } from "@siding/shared/result";
import type { LiveFleet } from "../fleet/live.ts";
import { hostsOf, servingSlot, snapshotOf } from "../fleet/snapshot.ts";
import type { EventBody } from "../ledger/event.ts";
import { type HostRecord, instanceSlotKey, type LedgerState, type ServiceRecord } from "../ledger/state.ts";
import { entryOf } from "../rollout/by-host.ts";
import { forwardPlan } from "../rollout/planning.ts";
import type { RolloutRecord } from "../rollout/record.ts";
import { dueHook, edgeReloads, newRollout, type Settled } from "./new-rollout.ts";
import { refusalsOf } from "./plan-refusals.ts";
import { busyWith, endConverging, isGivingWay, queuedBehind, superseded } from "./queue.ts";
import { type Refusal, unknownService } from "./refusal.ts";
import { type AdmitContext, type Wish, wishOf } from "./wish.ts";

/**
 * Takes a rollout, or refuses it before anything happens, with the arithmetic. Refused are unknown services and
 * versions, a second rollout, and one of which not even one host (in-place: one group) fits with everything serving.
 */
export function admitRollout(
  state: LedgerState,
  live: LiveFleet,
  service: ServiceName,
  body: RolloutBody,
  context: AdmitContext,
): Result<readonly EventBody[], Refusal> {
  const record = state.services.get(service);
  if (!record) return err(unknownService(service));
  const wish = wishOf(state, record, body);
  return wish.ok ? admitTarget(state, live, record, wish.value, context) : wish;
}

/**
 * Rolls a finished rollout back: a new rollout to the target that its hosts came from, and of those hosts only. The
 * release is still there, so nothing is downloaded.
 */
export function admitRollback(
  state: LedgerState,
  live: LiveFleet,
  finished: RolloutRecord,
  context: AdmitContext,
): Result<readonly EventBody[], Refusal> {
  const record = state.services.get(finished.service);
  if (!record) return err(unknownService(finished.service));
  if (finished.purpose === "restart") {
    const message = `rollout ${finished.id} was a restart: its hosts serve what they served before, there is nothing to go back to`;
    return err({ code: "nothing-to-do", message });
  }
  const changed = hostsOf(state, record).filter((host) => isChangedBy(finished, host));
  const from = changed.flatMap(({ hostId }) => entryOf(finished.hosts, hostId)?.from ?? []);
  const [to] = from;
  if (!to) {
    const message = `no host serves ${finished.to.release.version} by rollout ${finished.id} and came from an earlier target: there is nothing to go back to`;
    return err({ code: "nothing-to-do", message });
  }
  if (from.some((target) => target.id !== to.id)) {
    const targets = [...new Set(from.map((target) => target.id))].join(", ");
    const message = `the hosts of rollout ${finished.id} came from different targets (${targets}); start a rollout to the version you want`;
    return err({ code: "rollout-finished", message });
  }
  const skip = hostsOf(state, record)
    .filter((host) => !changed.includes(host))
    .map((host) => host.hostId);
  const options = { onFailure: "pause" as const, comment: `rollback of ${finished.id}` };
  const wish = { to, strategy: finished.strategy, options, skip, withHook: false };
  return admitTarget(state, live, record, wish, context);
}

/** Moved by that rollout, and not moved since. */
function isChangedBy(finished: RolloutRecord, host: HostRecord): boolean {
  const progress = entryOf(finished.hosts, host.hostId);
  const instance = host.instances[instanceSlotKey(finished.service, servingSlot)];
  return progress !== undefined && progress.from !== null && instance?.target?.id === finished.to.id;
}

function admitTarget(
  state: LedgerState,
  live: LiveFleet,
  record: ServiceRecord,
  { to, strategy, options, skip, withHook }: Wish,
  context: AdmitContext,
): Result<readonly EventBody[], Refusal> {
  const snapshot = snapshotOf(state, live, record.spec.name, context.nowMs);
  if (!snapshot) return err(unknownService(record.spec.name));
  const plan = forwardPlan(snapshot, { to, strategy }, null, skip);
  const beforeRollout = withHook ? dueHook(to) : null;
  const settled = { to, plan, strategy, snapshot, purpose: "rollout", beforeRollout } as const;
  return admitPlan(state, record, settled, options, context);
}

/** A plan becomes a rollout: at once, behind the one that runs, or not at all. */
export function admitPlan(
  state: LedgerState,
  record: ServiceRecord,
  settled: Settled,
  options: Wish["options"],
  context: AdmitContext,
): Result<readonly EventBody[], Refusal> {
  const { snapshot, plan } = settled;
  const { activeRollout } = record;
  const busy = busyWith(state, record, options.queue ?? false);
  if (busy) return err(busy);
  const gives = activeRollout !== null && isGivingWay(state, activeRollout);
  const [refusal] = refusalsOf(snapshot, plan, settled);
  if (refusal && !activeRollout) return err(refusal);
  const fresh = newRollout(record, options, context, settled);
  const rollout = activeRollout ? { ...fresh, ...queuedBehind(activeRollout) } : fresh;
  const reloadsBefore = edgeReloads(state, snapshot);
  const idempotencyKey = context.idempotencyKey as Extract<
    EventBody,
    { type: "rollout-created" }
  >["idempotencyKey"];
  return ok([
    ...(gives ? endConverging(state, activeRollout) : []),
    ...superseded(record, rollout),
    { type: "rollout-created", rollout: { ...rollout, reloadsBefore }, idempotencyKey },
  ]);
}
