import type { RolloutId, ServiceName, Version } from "@siding/shared/ids";
import type { RolloutBody } from "@siding/shared/rest";
import { err, ok, type Result } from "@siding/shared/result";
import { makeTarget, type Target } from "@siding/shared/target";
import { formatAmount } from "@siding/shared/units";
import type { LiveFleet } from "../fleet/live.ts";
import { snapshotOf } from "../fleet/snapshot.ts";
import type { EventBody } from "../ledger/event.ts";
import { type LedgerState, releaseKey, type ServiceRecord } from "../ledger/state.ts";
import { baseOf, maxFailuresOf, minServingOf } from "../rollout/capacity.ts";
import type { Plan } from "../rollout/plan.ts";
import { forwardPlan } from "../rollout/planning.ts";
import type { HostProgress, RolloutRecord } from "../rollout/record.ts";
import type { Snapshot } from "../rollout/snapshot.ts";
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
  const snapshot = snapshotOf(state, live, service, context.nowMs);
  if (!record || !snapshot) {
    return err({
      code: "unknown-service",
      message: `there is no service ${service}; declare it with PUT /v1/services/${service}`,
    });
  }
  if (record.activeRollout) return err(inProgress(state, record.activeRollout));
  const target = targetOf(state, record, body.version);
  if (!target.ok) return target;
  const strategy = body.strategy ?? record.spec.strategy;
  const plan = forwardPlan(snapshot, { to: target.value, strategy }, null, []);
  const refusal = fleetRefusal(snapshot, plan, target.value) ?? capacityRefusal(snapshot, plan);
  if (refusal) return err(refusal);
  const rollout = newRollout(record, body, context, { to: target.value, plan, strategy, snapshot });
  const reloadsBefore = edgeReloads(state, snapshot);
  const idempotencyKey = context.idempotencyKey as Extract<
    EventBody,
    { type: "rollout-created" }
  >["idempotencyKey"];
  return ok([{ type: "rollout-created", rollout: { ...rollout, reloadsBefore }, idempotencyKey }]);
}

function inProgress(state: LedgerState, id: RolloutId): Refusal {
  const other = state.rollouts.get(id);
  const what = other ? `${other.to.release.version}, ${other.status}` : "unknown";
  const message = `rollout ${id} (${what}) is not finished; wait for it, abort it or roll it back. One rollout per service at a time`;
  return { code: "rollout-in-progress", message };
}

function targetOf(
  state: LedgerState,
  { spec, specRevision }: ServiceRecord,
  version: Version | undefined,
): Result<Target, Refusal> {
  if (version === undefined) {
    const message =
      "a rollout without a version rolls out the changed spec only: not available in this release of Siding";
    return err({ code: "not-available-yet", message, errors: [{ path: "version", message }] });
  }
  const release = state.releases.get(releaseKey(spec.name, version));
  if (!release) {
    const message = `service ${spec.name} has no release ${version}; register it with POST /v1/services/${spec.name}/releases`;
    return err({ code: "unknown-version", message, errors: [{ path: "version", message }] });
  }
  const { digest, sizeBytes } = release;
  return ok(makeTarget({ version, digest, sizeBytes }, specRevision, spec.target));
}

function fleetRefusal(snapshot: Snapshot, plan: Plan, to: Target): Refusal | null {
  const { spec, hosts, edges } = snapshot;
  if (hosts.length === 0) {
    const message = `no host matches ${labels(spec.hosts.match)}; start an agent with role host and these labels`;
    return { code: "no-hosts", message };
  }
  if (edges.length === 0) {
    const message = `no edge matches ${labels(spec.edge.match)}; start an agent with role edge and these labels`;
    return { code: "no-edges", message };
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
      ? `the only host would leave nothing serving (${arithmetic}); one host alone needs overlap or allowDowntime, which are not available in this release of Siding`
      : `${unit} out would breach the minimum: ${arithmetic}. Lower capacity.minServing${plan.whole ? ", use strategy rolling" : ""} or add hosts`;
  return { code: "below-minimum", message, errors: [{ path: "capacity.minServing", message: arithmetic }] };
}

function labels(match: Record<string, string>): string {
  return Object.entries(match)
    .map(([label, value]) => `${label}: ${value}`)
    .join(", ");
}

interface Settled {
  readonly to: Target;
  readonly plan: Plan;
  readonly strategy: RolloutRecord["strategy"];
  readonly snapshot: Snapshot;
}

function newRollout(
  { spec }: ServiceRecord,
  body: RolloutBody,
  { id, by, at, nowMs }: AdmitContext,
  { to, plan, strategy, snapshot }: Settled,
): RolloutRecord {
  const progress: HostProgress = {
    course: { kind: "planned" },
    phase: "pending",
    phaseSinceMs: nowMs,
    phaseSinceAt: at,
    batch: null,
    timings: {},
  };
  const size = Math.max(baseOf(snapshot).length, plan.hosts.length);
  return {
    id,
    service: spec.name,
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
    hosts: Object.fromEntries(plan.hosts.map((host) => [host.hostId, progress])),
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
  };
}

function edgeReloads(state: LedgerState, snapshot: Snapshot): RolloutRecord["reloadsBefore"] {
  const reloads: RolloutRecord["reloadsBefore"] = {};
  for (const { hostId } of snapshot.edges) {
    reloads[hostId] = state.hosts.get(hostId)?.upstreams[snapshot.upstream.name]?.reloads ?? 0;
  }
  return reloads;
}
