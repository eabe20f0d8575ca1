import { type HostId, type InstanceKey, instanceKey, type TargetId, type Version } from "@siding/shared/ids";
import type { EdgeDocument, FleetSummary, HostDocument } from "@siding/shared/rest";
import { conflictOf, hearingOf, livenessOf } from "../fleet/live.ts";
import { edgesOf, edgeTrouble, knownHosts } from "../fleet/snapshot.ts";
import { confirmedRevision } from "../ledger/fold-upstream.ts";
import { type Behind, emptyHost, type HostRecord, type InstanceRecord } from "../ledger/state.ts";
import { entryOf } from "../rollout/by-host.ts";
import { conflictText } from "../rollout/conflict.ts";
import { hostIdsOf, type View } from "./document-view.ts";

export type ListedInstances = ReadonlySet<InstanceKey>;

/** Undefined: neither declared nor ever heard of. */
export function hostDocument(view: View, id: HostId): HostDocument | undefined {
  const host = view.state.hosts.get(id) ?? (view.declared.has(id) ? emptyHost(id) : undefined);
  return host && hostDocumentOf(view, id, host, listedInstances(view));
}

/** What some upstream lists at present, here or by a list that only its edges know; collected once for the whole fleet. */
export function listedInstances({ state }: View): ListedInstances {
  return new Set(
    [...state.upstreams.values()].flatMap(({ service, content, observed }) =>
      [...content.members, ...(observed?.members ?? [])].map(({ hostId, slot }) =>
        instanceKey(service, hostId, slot),
      ),
    ),
  );
}

export function hostDocumentOf(
  view: View,
  id: HostId,
  host: HostRecord,
  listed: ListedInstances,
): HostDocument {
  const { live, clock, nowMs } = view;
  const beat = live.beats.get(id);
  const liveness = livenessOf(live, id, nowMs);
  const conflict = conflictOf(live, id, nowMs);
  return {
    id,
    address: host.facts?.address ?? null,
    labels: host.facts?.labels ?? {},
    roles: host.facts?.roles ?? [],
    hold: host.hold,
    liveness: liveness.kind,
    trouble: beat?.trouble ?? null,
    conflict: conflict && { since: clock.wallAt(conflict.sinceMs), message: conflictText(id, conflict) },
    since: liveness.kind === "alive" ? null : clock.wallAt(liveness.heardMs),
    lastSeen: beat?.lastSeenAt ?? null,
    load: beat?.load ?? null,
    agentVersion: host.facts?.agentVersion ?? null,
    inventory: host.facts?.inventory ?? null,
    instances: Object.values(host.instances).map((instance) =>
      instanceDocument(view, id, instance, listed.has(instanceKey(instance.service, id, instance.slot))),
    ),
  };
}

/** The state of each instance of a host: all of its document that does not come from the host's own record. */
export function instanceStates(
  view: View,
  id: HostId,
  host: HostRecord,
  listed: ListedInstances,
): readonly string[] {
  return Object.values(host.instances).map((instance) => {
    const isListed = listed.has(instanceKey(instance.service, id, instance.slot));
    return `${instanceState(view, id, instance, isListed)}${isListed ? " listed" : ""}`;
  });
}

/** Under way, the phase says more than where the instance rests. */
function instanceState({ state }: View, hostId: HostId, instance: InstanceRecord, listed: boolean): string {
  const activeRollout = state.services.get(instance.service)?.activeRollout;
  const rollout = activeRollout ? state.rollouts.get(activeRollout) : undefined;
  const resting = listed ? "serving" : presentTarget(instance) === null ? "stopped" : "out";
  return (rollout && entryOf(rollout.hosts, hostId)?.phase) ?? resting;
}

function presentTarget({ report, target }: InstanceRecord): TargetId | null {
  return report ? report.running : (target?.id ?? null);
}

function instanceDocument(
  view: View,
  hostId: HostId,
  instance: InstanceRecord,
  listed: boolean,
): HostDocument["instances"][number] {
  const { service, slot, report } = instance;
  const present = presentTarget(instance);
  return {
    service,
    slot,
    target: present,
    version: present === null ? null : versionOf(present),
    state: instanceState(view, hostId, instance, listed),
    health: report?.health ?? "unknown",
    listed,
    trouble: report?.trouble ?? null,
  };
}

/** `v2@0123456789ab.3` -> `v2`. */
export function versionOf(target: TargetId): Version {
  return target.slice(0, target.lastIndexOf("@")) as Version;
}

/** Every host whose agent has the edge role. */
export function edgeDocuments(view: View): readonly EdgeDocument[] {
  return hostIdsOf(view).flatMap((id) => {
    const host = view.state.hosts.get(id);
    return host?.facts?.roles.includes("edge") ? [edgeDocument(view, id, host)] : [];
  });
}

function edgeDocument({ state, live, nowMs }: View, id: HostId, host: HostRecord): EdgeDocument {
  const mine = [...state.services.values()].filter(({ spec }) => edgesOf(state, spec).includes(host));
  return {
    id,
    address: host.facts?.address ?? null,
    labels: host.facts?.labels ?? {},
    liveness: livenessOf(live, id, nowMs).kind,
    lastSeen: live.beats.get(id)?.lastSeenAt ?? null,
    counted: host.counted.length > 0,
    excluded: host.excluded,
    upstreams: mine.flatMap(({ spec }) => {
      const wanted = state.upstreams.get(spec.edge.upstream);
      const report = host.upstreams[spec.edge.upstream];
      const confirmed = confirmedRevision(host, spec.edge.upstream);
      const served = wanted?.history.find((list) => list.revision === confirmed)?.members ?? [];
      return {
        upstream: spec.edge.upstream,
        service: spec.name,
        wanted: wanted?.revision ?? 0,
        serving: report?.serving?.revision ?? null,
        members: served.map((member) => `${member.hostId}/${member.slot}`),
        ejected: (report?.ejected ?? []).map(({ hostId, slot, detail }) => ({
          instance: `${hostId}/${slot}`,
          detail,
        })),
        panic: report?.panic ?? null,
        reloads: report?.reloads ?? 0,
        ejections: report?.ejections ?? 0,
        refused: report?.refused?.message ?? null,
        trouble: edgeTrouble(live, host, spec.edge.upstream, nowMs)?.message ?? null,
      };
    }),
  };
}

/** The whole fleet in numbers. `hosts` are all of them, whatever is asked for besides. */
export function fleetSummary({ state, live, nowMs }: View, hosts: readonly HostDocument[]): FleetSummary {
  const liveness = countOf(hosts, (host) => host.liveness);
  const instances = hosts.flatMap((host) => host.instances);
  return {
    summary: {
      hosts: hosts.length,
      alive: liveness.alive ?? 0,
      silent: liveness.silent ?? 0,
      unknown: liveness.unknown ?? 0,
      edges: hosts.filter(({ roles }) => roles.includes("edge")).length,
      services: state.services.size,
      conflicts: hosts.filter(({ conflict }) => conflict !== null).length,
      rollouts: [...state.services.values()].filter(({ activeRollout }) => activeRollout !== null).length,
      instances: instances.length,
      listed: instances.filter(({ listed }) => listed).length,
      states: countOf(instances, ({ state }) => state),
    },
    blind: hearingOf(live, knownHosts(state), nowMs).blind !== null,
    behind: state.behind && behindText(state.behind),
  };
}

function behindText({ hostId, epochSeen, revisionSeen, at }: Behind): string {
  return (
    `This ledger is older than its fleet, as after restoring a backup: ${hostId} has seen epoch ${epochSeen}, revision ${revisionSeen} (noticed ${at}). ` +
    "What hosts run was taken over from their agents as far as it is known here. Nobody is moved before a person has looked: compare, then POST /v1/fleet/resume goes on with the fleet as it is; a rollout that is resumed, aborted, rolled back or started does that too."
  );
}

function countOf<T>(items: readonly T[], keyOf: (item: T) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[keyOf(item)] = (counts[keyOf(item)] ?? 0) + 1;
  return counts;
}
