import { type HostId, type InstanceKey, instanceKey, type TargetId, type Version } from "@siding/shared/ids";
import type { EdgeDocument, FleetDocument, HostDocument } from "@siding/shared/rest";
import { isBlind, livenessOf } from "../fleet/live.ts";
import { edgesOf, knownHosts } from "../fleet/snapshot.ts";
import { confirmedRevision } from "../ledger/fold-upstream.ts";
import { emptyHost, type HostRecord, type InstanceRecord } from "../ledger/state.ts";
import { hostIdsOf, type View } from "./document-view.ts";

/** Every host that is declared or has reported. */
export function hostDocuments(view: View): readonly HostDocument[] {
  const listed = listedInstances(view);
  return hostIdsOf(view).map((id) =>
    hostDocumentOf(view, id, view.state.hosts.get(id) ?? emptyHost(id), listed),
  );
}

/** Undefined: neither declared nor ever heard of. */
export function hostDocument(view: View, id: HostId): HostDocument | undefined {
  const host = view.state.hosts.get(id) ?? (view.declared.has(id) ? emptyHost(id) : undefined);
  return host && hostDocumentOf(view, id, host, listedInstances(view));
}

/** What some upstream lists at present, collected once for the whole fleet. */
function listedInstances({ state }: View): ReadonlySet<InstanceKey> {
  return new Set(
    [...state.upstreams.values()].flatMap(({ service, content }) =>
      content.members.map(({ hostId, slot }) => instanceKey(service, hostId, slot)),
    ),
  );
}

function hostDocumentOf(
  view: View,
  id: HostId,
  host: HostRecord,
  listed: ReadonlySet<InstanceKey>,
): HostDocument {
  const { live, clock, nowMs } = view;
  const beat = live.beats.get(id);
  const liveness = livenessOf(live, id, nowMs);
  return {
    id,
    address: host.facts?.address ?? null,
    labels: host.facts?.labels ?? {},
    roles: host.facts?.roles ?? [],
    liveness: liveness.kind,
    since: liveness.kind === "alive" ? null : clock.wallAt(liveness.sinceMs),
    lastSeen: beat?.lastSeenAt ?? null,
    load: beat?.load ?? null,
    agentVersion: host.facts?.agentVersion ?? null,
    inventory: host.facts?.inventory ?? null,
    instances: Object.values(host.instances).map((instance) =>
      instanceDocument(view, id, instance, listed.has(instanceKey(instance.service, id, instance.slot))),
    ),
  };
}

function instanceDocument(
  { state }: View,
  hostId: HostId,
  { service, slot, target, report }: InstanceRecord,
  listed: boolean,
): HostDocument["instances"][number] {
  const activeRollout = state.services.get(service)?.activeRollout;
  const rollout = activeRollout ? state.rollouts.get(activeRollout) : undefined;
  const present = report ? report.running : (target?.id ?? null);
  const resting = listed ? "serving" : present === null ? "stopped" : "out";
  return {
    service,
    slot,
    target: present,
    version: present === null ? null : versionOf(present),
    // Under way, the phase says more than where the instance rests.
    state: rollout?.hosts[hostId]?.phase ?? resting,
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
    liveness: livenessOf(live, id, nowMs).kind,
    lastSeen: live.beats.get(id)?.lastSeenAt ?? null,
    counted: host.counted.length > 0,
    upstreams: mine.flatMap(({ spec }) => {
      const wanted = state.upstreams.get(spec.edge.upstream);
      const report = host.upstreams[spec.edge.upstream];
      const confirmed = confirmedRevision(host, spec.edge.upstream);
      const served = wanted?.history.find((list) => list.revision === confirmed)?.members ?? [];
      return {
        upstream: spec.edge.upstream,
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
        trouble: report?.trouble?.message ?? null,
      };
    }),
  };
}

export function fleetDocument(view: View): FleetDocument {
  const { state, live, nowMs } = view;
  const hosts = hostDocuments(view);
  const inState = (kind: HostDocument["liveness"]) =>
    hosts.filter(({ liveness }) => liveness === kind).length;
  return {
    summary: {
      hosts: hosts.length,
      alive: inState("alive"),
      silent: inState("silent"),
      unknown: inState("unknown"),
      edges: hosts.filter(({ roles }) => roles.includes("edge")).length,
      services: state.services.size,
      rollouts: [...state.services.values()].filter(({ activeRollout }) => activeRollout !== null).length,
    },
    blind: isBlind(live, knownHosts(state), nowMs),
    hosts: [...hosts],
  };
}
