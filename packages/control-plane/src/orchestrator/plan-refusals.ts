import type { Target } from "@siding/shared/target";
import { formatAmount } from "@siding/shared/units";
import { baseOf, minServingOf } from "../rollout/capacity.ts";
import { type Plan, plannedHost } from "../rollout/plan.ts";
import type { RolloutRecord } from "../rollout/record.ts";
import { skewOf } from "../rollout/skew.ts";
import { hostIn, labelsText, type Snapshot, whyNoEdge } from "../rollout/snapshot.ts";
import type { Refusal } from "./refusal.ts";

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
