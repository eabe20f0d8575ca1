import type { HostId, RolloutId, ServiceName, Version } from "@siding/shared/ids";
import type { RolloutBody } from "@siding/shared/rest";
import { err, ok, type Result } from "@siding/shared/result";
import { makeTarget, type Target } from "@siding/shared/target";
import { formatAmount } from "@siding/shared/units";
import type { LiveFleet } from "../fleet/live.ts";
import { hostsOf, servingSlot, snapshotOf } from "../fleet/snapshot.ts";
import type { EventBody } from "../ledger/event.ts";
import {
  type HostRecord,
  instanceSlotKey,
  type LedgerState,
  releaseKey,
  type ServiceRecord,
} from "../ledger/state.ts";
import { baseOf, maxFailuresOf, minServingOf } from "../rollout/capacity.ts";
import { type Plan, plannedHost } from "../rollout/plan.ts";
import { forwardPlan, planAnew } from "../rollout/planning.ts";
import type { HostProgress, RolloutRecord } from "../rollout/record.ts";
import { skewOf } from "../rollout/skew.ts";
import { hostIn, labelsText, type Snapshot, whyNoEdge } from "../rollout/snapshot.ts";
import { releaseOf } from "./declare.ts";
import { givesWay } from "./holds.ts";
import type { Refusal, RequestContext } from "./refusal.ts";

export interface AdmitContext extends RequestContext {
  readonly id: RolloutId;
  readonly idempotencyKey: { readonly key: string; readonly requestDigest: `sha256:${string}` } | null;
}

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
  const from = changed.flatMap(({ hostId }) => finished.hosts[hostId]?.from ?? []);
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
  const progress = finished.hosts[host.hostId];
  const instance = host.instances[instanceSlotKey(finished.service, servingSlot)];
  return progress !== undefined && progress.from !== null && instance?.target?.id === finished.to.id;
}

/** What a request asks for. Errors: `unknown-version`. */
export function wishOf(state: LedgerState, record: ServiceRecord, body: RolloutBody): Result<Wish, Refusal> {
  const target = targetOf(state, record, body.version);
  if (!target.ok) return target;
  const strategy = body.strategy ?? record.spec.strategy;
  return ok({ to: target.value, strategy, options: body, skip: [], withHook: true });
}

export interface Wish {
  readonly to: Target;
  readonly strategy: RolloutRecord["strategy"];
  readonly options: Omit<RolloutBody, "version" | "strategy">;
  /** Hosts that are not to be touched. */
  readonly skip: readonly HostId[];
  /** Whether the target's hook is run that comes once before everything; on the way back it is not. */
  readonly withHook: boolean;
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

/** Rule 7: one rollout of a service at a time, unless the next one may wait. */
export function busyWith(
  state: LedgerState,
  { activeRollout }: ServiceRecord,
  queue: boolean,
): Refusal | null {
  if (!activeRollout || queue || isGivingWay(state, activeRollout)) return null;
  return inProgress(state, activeRollout);
}

function isGivingWay(state: LedgerState, id: RolloutId): boolean {
  return state.rollouts.get(id)?.origin === "reconciler";
}

/** What the fleet does of itself never keeps a person waiting for longer than its step in hand. */
function endConverging(state: LedgerState, id: RolloutId): readonly EventBody[] {
  if (state.rollouts.get(id)?.intent === "abort") return [];
  const cause = { code: givesWay, message: "gives way to a rollout of a person" };
  return [{ type: "intent-set", rolloutId: id, intent: "abort", cause }];
}

function queuedBehind(active: RolloutId) {
  const waiting = [{ code: "queued" as const, message: `waits for rollout ${active} to end` }];
  return { status: "queued" as const, waiting };
}

/** One waits at most: a later one takes its place. */
function superseded({ queuedRollout }: ServiceRecord, rollout: RolloutRecord): readonly EventBody[] {
  if (!queuedRollout || rollout.status !== "queued") return [];
  const cause = { code: "superseded", message: `rollout ${rollout.id} took its place in the queue` };
  return [{ type: "rollout-finished", rolloutId: queuedRollout, status: "aborted", cause }];
}

/**
 * The turn of a queued rollout has come: it is looked at anew, as the fleet is now, and ends here where it would be
 * refused. Empty where none waits, or another one still runs.
 */
export function startQueued(
  state: LedgerState,
  live: LiveFleet,
  record: ServiceRecord,
  nowMs: number,
): readonly EventBody[] {
  const rollout = record.queuedRollout && state.rollouts.get(record.queuedRollout);
  if (!rollout || record.activeRollout || state.behind !== null) return [];
  const snapshot = snapshotOf(state, live, record.spec.name, nowMs);
  if (!snapshot) return [];
  const plan = planAnew(snapshot, rollout, null);
  const [refusal] = refusalsOf(snapshot, plan, rollout);
  if (refusal) {
    const cause = { code: refusal.code, message: `when its turn came: ${refusal.message}` };
    return [{ type: "rollout-finished", rolloutId: rollout.id, status: "failed", cause }];
  }
  const started: RolloutRecord = {
    ...rollout,
    plan,
    hosts: progressOf(plan, rollout.createdAt, nowMs),
    status: "pending",
    waiting: [],
    resumedAtMs: nowMs,
    reloadsBefore: edgeReloads(state, snapshot),
  };
  return [{ type: "rollout-started", rollout: started }];
}

/** Where a rollout goes, and what it does before that. */
type Going = Pick<RolloutRecord, "to" | "beforeRollout">;

/** Why a plan may not start, every reason. */
export function refusalsOf(snapshot: Snapshot, plan: Plan, going: Going): readonly Refusal[] {
  const { to } = going;
  return [
    fleetRefusal(snapshot, plan, to),
    skewRefusal(snapshot, plan, to),
    hookRefusal(snapshot, plan, going),
    capacityRefusal(snapshot, plan),
  ].filter((refusal) => refusal !== null);
}

/** Agents that are older than what they would be sent, all of them: a person upgrades them in one go. */
function skewRefusal({ hosts, edges, spec }: Snapshot, plan: Plan, to: Target): Refusal | null {
  const planned = hosts.filter(({ hostId }) => plan.hosts.some((host) => host.hostId === hostId));
  const skews = [
    ...planned.flatMap((host) => skewOf(host, "host", to) ?? []),
    ...edges.flatMap((edge) => skewOf(edge, "edge", to, spec.edge.protocol) ?? []),
  ];
  if (skews.length === 0) return null;
  return { code: "agent-too-old", message: skews.map(({ message }) => message).join("; ") };
}

export function dueHook({ spec }: Target): RolloutRecord["beforeRollout"] {
  return spec.hooks.beforeRollout === undefined ? null : { kind: "due" };
}

/** The host that is named for the hook has to have the release, and to be there. */
function hookRefusal(snapshot: Snapshot, plan: Plan, { to, beforeRollout }: Going): Refusal | null {
  const named = to.spec.hooks.beforeRollout?.host;
  if (named === undefined || beforeRollout === null) return null;
  const path = "hooks.beforeRollout.host";
  const host = hostIn(snapshot, named);
  const isReady = plannedHost(plan, named) !== undefined || host?.instance.staged.includes(to.id);
  if (host && isReady && host.liveness.kind !== "silent") return null;
  const why = host
    ? "it is silent, or held out by hand, and can't be told to"
    : `it is not one of the hosts of ${snapshot.service}`;
  const message = `hook beforeRollout is to run on ${named}, and ${why}; name another host, or none`;
  return { code: "hook-impossible", message, errors: [{ path, message }] };
}

export function unknownService(service: ServiceName): Refusal {
  const message = `there is no service ${service}; declare it with PUT /v1/services/${service}`;
  return { code: "unknown-service", message };
}

export function inProgress(state: LedgerState, id: RolloutId): Refusal {
  const other = state.rollouts.get(id);
  const what = other ? `${other.to.release.version}, ${other.status}` : "unknown";
  const message = `rollout ${id} (${what}) is not finished; wait for it, abort it or roll it back. One rollout per service at a time`;
  return { code: "rollout-in-progress", message };
}

function targetOf(
  state: LedgerState,
  { spec, specRevision }: Pick<ServiceRecord, "spec" | "specRevision">,
  version: Version | undefined,
): Result<Target, Refusal> {
  if (version === undefined) return servedTarget(state, { spec, specRevision });
  const release = state.releases.get(releaseKey(spec.name, version));
  if (!release) {
    const message = `service ${spec.name} has no release ${version}; register it with POST /v1/services/${spec.name}/releases`;
    return err({ code: "unknown-version", message, errors: [{ path: "version", message }] });
  }
  return ok(makeTarget(releaseOf(release), specRevision, spec.target));
}

/** Without a version only the spec is rolled out, with the release that serves now. */
function servedTarget(
  state: LedgerState,
  { spec, specRevision }: Pick<ServiceRecord, "spec" | "specRevision">,
): Result<Target, Refusal> {
  const served = [...state.hosts.values()].flatMap(
    (host) => host.instances[instanceSlotKey(spec.name, servingSlot)]?.target?.release ?? [],
  );
  const [release] = served;
  const versions = [...new Set(served.map(({ version }) => version))];
  if (release && versions.length === 1) return ok(makeTarget(release, specRevision, spec.target));
  const what = versions.length === 0 ? "nothing serves yet" : `its hosts serve ${versions.join(" and ")}`;
  const message = `a rollout without a version takes the one that serves, but ${what}; say which version you mean`;
  return err({ code: "unknown-version", message, errors: [{ path: "version", message }] });
}

function fleetRefusal(snapshot: Snapshot, plan: Plan, to: Target): Refusal | null {
  const { spec, hosts, edges } = snapshot;
  if (hosts.length === 0) {
    const message = `no host matches ${labelsText(spec.hosts.match)}; start an agent with role host and these labels`;
    return { code: "no-hosts", message };
  }
  if (edges.length === 0) {
    return { code: "no-edges", message: whyNoEdge(snapshot) };
  }
  if (plan.hosts.length > 0) return null;
  if (plan.absent.length > 0) {
    const message = `every host that is not on ${to.release.version} is silent: ${plan.absent.join(", ")}; check siding-agent there`;
    return { code: "no-hosts", message };
  }
  const message = `all ${hosts.length} hosts of ${snapshot.service} serve ${to.release.version} with this spec already`;
  return { code: "nothing-to-do", message };
}

/** With everything serving, would one host (in-place: one group) fit? Only its own hosts that serve cost anything. */
function capacityRefusal(snapshot: Snapshot, plan: Plan): Refusal | null {
  if (plan.allowsDowntime || plan.batches.length === 0) return null;
  const base = baseOf(snapshot);
  const { minServing } = snapshot.spec.capacity;
  const least = Math.max(1, minServingOf(minServing, base.length));
  const costs = (batch: readonly string[]) => base.filter((host) => batch.includes(host.hostId)).length;
  const groups = plan.whole
    ? plan.batches.map(costs)
    : [Math.min(...plan.batches.flat().map((id) => costs([id])))];
  const largest = Math.max(0, ...groups);
  if (largest === 0 || base.length - largest >= least) return null;
  const unit = plan.whole ? `a group of ${largest}` : "one host";
  const written = `minServing ${formatAmount(minServing)}`;
  const arithmetic = `${base.length} serving - ${largest} = ${base.length - largest}, and ${written} of ${base.length} asks for ${least}`;
  const message =
    base.length === 1
      ? `the only host would leave nothing serving (${arithmetic}); one host alone needs allowDowntime: true in its strategy`
      : `${unit} out would breach the minimum: ${arithmetic}. Lower capacity.minServing${plan.whole ? ", use strategy rolling" : ""} or add hosts`;
  return { code: "below-minimum", message, errors: [{ path: "capacity.minServing", message: arithmetic }] };
}

export interface Settled {
  readonly purpose: RolloutRecord["purpose"];
  readonly to: Target;
  readonly plan: Plan;
  readonly strategy: RolloutRecord["strategy"];
  readonly snapshot: Snapshot;
  /** Due where the target has such a hook and this rollout is to run it. */
  readonly beforeRollout: RolloutRecord["beforeRollout"];
}

export function newRollout(
  { spec }: ServiceRecord,
  body: Wish["options"],
  { id, by, at, nowMs }: AdmitContext,
  { to, plan, strategy, snapshot, purpose, beforeRollout }: Settled,
): RolloutRecord {
  const size = Math.max(baseOf(snapshot).length, plan.hosts.length);
  return {
    id,
    service: spec.name,
    origin: "person",
    purpose,
    to,
    strategy,
    onFailure: body.onFailure ?? spec.onFailure,
    maxFailures: maxFailuresOf(body.maxFailures ?? spec.maxFailures, size),
    verifyHoldMs: body.verifyHold ?? spec.verifyHoldMs,
    bakeTimeMs: body.bakeTime ?? spec.bakeTimeMs,
    plan,
    intent: "forward",
    cause: null,
    resumedAtMs: nowMs,
    acceptedFailures: 0,
    failed: [],
    promotedBatches: 0,
    hosts: progressOf(plan, at, nowMs),
    batches: [],
    status: "pending",
    waiting: [],
    comment: body.comment ?? null,
    createdAt: at,
    createdAtMs: nowMs,
    createdBy: by,
    finishedAt: null,
    reloadsBefore: {},
    reloads: null,
    swapSpreadMs: null,
    beforeRollout,
  };
}

function progressOf(plan: Plan, at: string, nowMs: number): RolloutRecord["hosts"] {
  const progress: Omit<HostProgress, "from"> = {
    course: { kind: "planned" },
    phase: "pending",
    phaseSinceMs: nowMs,
    phaseSinceAt: at,
    batch: null,
    timings: {},
  };
  return Object.fromEntries(plan.hosts.map((host) => [host.hostId, { ...progress, from: host.from }]));
}

export function edgeReloads(state: LedgerState, snapshot: Snapshot): RolloutRecord["reloadsBefore"] {
  const reloads: RolloutRecord["reloadsBefore"] = {};
  for (const { hostId } of snapshot.edges) {
    reloads[hostId] = state.hosts.get(hostId)?.upstreams[snapshot.upstream.name]?.reloads ?? 0;
  }
  return reloads;
}
