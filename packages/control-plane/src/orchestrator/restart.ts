import { restartFeature } from "@siding/shared/features";
import type { HostId, ServiceName } from "@siding/shared/ids";
import type { RestartBody } from "@siding/shared/rest";
import { err, ok, type Result } from "@siding/shared/result";
import type { ServiceSpec, Strategy } from "@siding/shared/spec";
import type { Target } from "@siding/shared/target";
import type { LiveFleet } from "../fleet/live.ts";
import { snapshotOf } from "../fleet/snapshot.ts";
import type { EventBody } from "../ledger/event.ts";
import type { LedgerState } from "../ledger/state.ts";
import { oneByOne, restartPlan } from "../rollout/planning.ts";
import { type HostView, hostIn, labelsText, type Snapshot } from "../rollout/snapshot.ts";
import { admitPlan } from "./admit.ts";
import { busyWith } from "./queue.ts";
import { type Refusal, unknownService } from "./refusal.ts";
import { commonTarget } from "./restart-target.ts";
import type { AdmitContext } from "./wish.ts";

/**
 * Restarts a service on some hosts, or on all that serve it: a rollout of each to what it runs, by the same steps and
 * rules. Refused are hosts that do not serve it, are held, silent or too old, and what a rollout would be refused for.
 */
export function admitRestart(
  state: LedgerState,
  live: LiveFleet,
  service: ServiceName,
  body: RestartBody,
  context: AdmitContext,
): Result<readonly EventBody[], Refusal> {
  const record = state.services.get(service);
  const snapshot = snapshotOf(state, live, service, context.nowMs);
  if (!record || !snapshot) return err(unknownService(service));
  const busy = busyWith(state, record, body.queue ?? false);
  if (busy) return err(busy);
  const hosts = body.hosts === undefined ? ok(serving(snapshot)) : namedHosts(snapshot, body.hosts);
  if (!hosts.ok) return hosts;
  const flaw = hosts.value.map((host) => flawOf(snapshot, host)).find((each) => each !== null);
  if (flaw) return err(flaw);
  const waits = record.activeRollout !== null && body.queue === true;
  const to = targetOf(snapshot, hosts.value, waits);
  if (!to.ok) return to;
  const { hosts: _, ...asked } = body;
  const strategy = strategyOf(record.spec);
  const ids = hosts.value.map(({ hostId }) => hostId);
  const plan = restartPlan(snapshot, strategy, null, ids);
  const purpose = "restart" as const;
  const settled = { to: to.value, plan, strategy, snapshot, purpose, beforeRollout: null };
  return admitPlan(state, record, settled, { ...asked, onFailure: "stop" }, context);
}

/** All that have served and that nobody holds: also those out of traffic, which may get well by it. */
function serving({ hosts }: Snapshot): readonly HostView[] {
  return hosts.filter(({ instance, hold }) => instance.target !== null && hold === null);
}

function namedHosts(snapshot: Snapshot, ids: readonly HostId[]): Result<readonly HostView[], Refusal> {
  const { spec, service } = snapshot;
  const unknown = ids.find((hostId) => hostIn(snapshot, hostId) === undefined);
  if (unknown === undefined) return ok(ids.flatMap((hostId) => hostIn(snapshot, hostId) ?? []));
  const message = `no host '${unknown}' matches service ${service} (${labelsText(spec.hosts.match)})`;
  return err({ code: "unknown-host", message, errors: [{ path: "hosts", message }] });
}

/** Why this host can't be restarted, and what a person can do. */
function flawOf({ service }: Snapshot, host: HostView): Refusal | null {
  const { hostId, hold, liveness, agent } = host;
  if (host.instance.target === null) {
    return {
      code: "nothing-to-do",
      message: `${hostId} has never served ${service}: there is nothing to restart`,
    };
  }
  if (hold !== null) {
    const message = `${hostId} is ${hold} by hand and out of traffic; POST /v1/hosts/${hostId}/rejoin brings it back`;
    return { code: "nothing-to-do", message };
  }
  if (liveness.kind === "silent") {
    return { code: "no-hosts", message: `${hostId} is silent; check siding-agent there` };
  }
  if (agent.features.includes(restartFeature)) return null;
  const message = `the agent of ${hostId} (version ${agent.version}) does not know how to restart: upgrade the agent first`;
  return { code: "agent-too-old", message };
}

/** One that waits is asked what its hosts serve when its turn has come. */
function targetOf(
  { service }: Snapshot,
  hosts: readonly HostView[],
  waits: boolean,
): Result<Target, Refusal> {
  const served = hosts.map(({ instance: { target } }) => target);
  const to = commonTarget(service, served);
  const [some] = served;
  return !to.ok && waits && some ? ok(some) : to;
}

/** Batch by batch, as large as the service's own rollouts take them; halves that swap would gain nothing here. */
function strategyOf({ strategy }: ServiceSpec): Strategy {
  if (strategy.kind === "rolling") return strategy;
  return { ...oneByOne, allowDowntime: strategy.kind === "all-at-once" };
}
