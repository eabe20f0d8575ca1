import type { UpstreamContent } from "@siding/shared/command";
import type { HostId, Labels, ServiceName, Slot, UpstreamName } from "@siding/shared/ids";
import type { ServiceSpec } from "@siding/shared/spec";
import { confirmedRevision } from "../ledger/fold-upstream.ts";
import { type Rule, selected } from "../ledger/selection.ts";
import {
  type CommandRecord,
  emptyInstance,
  type HostRecord,
  type InstanceRecord,
  instanceSlotKey,
  type LedgerState,
  type ServiceRecord,
  type UpstreamRecord,
} from "../ledger/state.ts";
import { isNamedIn, placesIn } from "../rollout/by-host.ts";
import { conflictText } from "../rollout/conflict.ts";
import type {
  AgentView,
  CommandView,
  EdgeView,
  HostView,
  InstanceView,
  Snapshot,
  UpstreamView,
} from "../rollout/snapshot.ts";
import { heardOf } from "./hearing.ts";
import { conflictOf, type LiveFleet, livenessOf, soleFromMs } from "./live.ts";
import { ViewShelf } from "./view-shelf.ts";

/** The slot in which instances serve; a second one comes with the strategies that need it. */
export const servingSlot: Slot = "blue";

/** One consistent view of a service for the pure core, from the ledger and the beats. Undefined: no such service. */
export function snapshotOf(
  state: LedgerState,
  live: LiveFleet,
  service: ServiceName,
  nowMs: number,
): Snapshot | undefined {
  const record = state.services.get(service);
  if (!record) return undefined;
  const { spec } = record;
  const hearing = heardOf(live, knownHosts(state), nowMs);
  return {
    service,
    spec,
    hosts: hostShelf.viewsOf(spec.hosts, hostIdsOf(state, record), { state, live, nowMs }, (host) =>
      hostView(state, live, service, host, nowMs),
    ),
    edges: edgeShelf.viewsOf(spec.edge, neededEdgeIds(state, spec), { state, live, nowMs }, (edge) =>
      edgeView(state, live, spec, edge, nowMs),
    ),
    excluded: edgesOf(state, spec).flatMap((edge) => (edge.excluded === null ? [] : [edge.hostId])),
    upstream: upstreamView(state, spec),
    blind: hearing.blind,
    hearingSinceMs: hearing.sinceMs,
  };
}

const hostShelf = new ViewShelf<HostView>();
const edgeShelf = new ViewShelf<EdgeView>();

/** Every host whose silence can mean something: it has reported, and no person holds it and may have switched it off. */
export function knownHosts(state: LedgerState): readonly HostId[] {
  return selected(state, known, known);
}

const known: Rule = { isMeant: (host) => host.facts !== null && host.hold === null };

function hasAnswered({ epoch }: LedgerState, host: HostRecord): boolean {
  return host.toldEpoch >= epoch;
}

/** It was not heard since the ledger was found to be older than its fleet. */
export function isFromBackup({ restoredEpoch }: LedgerState, host: HostRecord): boolean {
  return host.toldEpoch < restoredEpoch;
}

/** Whether the labels of a host, in a role that it has, are those of a service. */
export function matches(host: HostRecord, role: "host" | "edge", match: Labels): boolean {
  if (!host.facts?.roles.includes(role)) return false;
  return Object.entries(match).every(([label, value]) => host.facts?.labels[label] === value);
}

/** Matched hosts, and those of a rollout that is under way: matches count from the next one. */
export function hostsOf(state: LedgerState, service: ServiceRecord): readonly HostRecord[] {
  return hostIdsOf(state, service).flatMap((hostId) => state.hosts.get(hostId) ?? []);
}

function hostIdsOf(state: LedgerState, { spec, activeRollout }: ServiceRecord): readonly HostId[] {
  const planned = (activeRollout && state.rollouts.get(activeRollout)?.hosts) ?? nobody;
  return selected(state, spec.hosts, {
    basis: placesIn(planned),
    isMeant: (host) => isNamedIn(planned, host.hostId) || matches(host, "host", spec.hosts.match),
  });
}

const nobody: readonly never[] = [];

export function edgesOf(state: LedgerState, { edge }: ServiceSpec): readonly HostRecord[] {
  const edgeIds = selected(state, edge.match, { isMeant: (host) => matches(host, "edge", edge.match) });
  return edgeIds.flatMap((hostId) => state.hosts.get(hostId) ?? []);
}

/** The edges that no person goes on without. */
function neededEdgeIds(state: LedgerState, { edge }: ServiceSpec): readonly HostId[] {
  return selected(state, edge, {
    isMeant: (host) => host.excluded === null && matches(host, "edge", edge.match),
  });
}

function hostView(
  state: LedgerState,
  live: LiveFleet,
  service: ServiceName,
  host: HostRecord,
  nowMs: number,
): HostView {
  const liveness = livenessOf(live, host.hostId, nowMs);
  return {
    hostId: host.hostId,
    liveness,
    trouble: live.beats.get(host.hostId)?.trouble ?? null,
    conflict: conflictOf(live, host.hostId, nowMs),
    soleFromMs: soleFromMs(live, host.hostId),
    hold: host.hold?.kind ?? null,
    address: host.facts?.address ?? null,
    labels: host.facts?.labels ?? {},
    agent: agentView(host),
    load: liveness.kind === "alive" ? (live.beats.get(host.hostId)?.load.cpu ?? null) : null,
    instance: instanceView(service, host),
    heard: hasAnswered(state, host),
  };
}

function agentView({ facts }: HostRecord): AgentView {
  return { version: facts?.agentVersion ?? "unknown", features: facts?.features ?? [] };
}

/** A record is replaced when anything in it changes, so that its view is made once. */
const instanceViews = new WeakMap<InstanceRecord, InstanceView>();

function instanceView(service: ServiceName, host: HostRecord): InstanceView {
  const record = host.instances[instanceSlotKey(service, servingSlot)];
  if (!record) return instanceViewOf(emptyInstance(service, servingSlot));
  const view = instanceViews.get(record) ?? instanceViewOf(record);
  instanceViews.set(record, view);
  return view;
}

function instanceViewOf(record: InstanceRecord): InstanceView {
  const { target, drained, report } = record;
  return {
    slot: servingSlot,
    target,
    running: report?.running ?? null,
    staged: report?.staged ?? [],
    health: report?.health ?? "unknown",
    trouble: report?.trouble ?? null,
    drained,
    command: commandView(record),
  };
}

function commandView({ command, report }: InstanceRecord): CommandView | null {
  if (!command) return null;
  const reported = report?.command?.commandId === command.commandId ? report.command : null;
  return {
    commandId: command.commandId,
    rolloutId: command.rolloutId,
    kind: command.body.kind,
    targetId: command.body.target.id,
    revision: command.revision,
    attempt: command.body.kind === "verify" ? command.body.attempt : null,
    issuedAtMs: command.issuedAtMs,
    deadlineMs: command.deadlineMs,
    status: command.status,
    settledAtMs: command.settledAtMs,
    failure: command.failure,
    hook: runningHook(command),
    inFlight: reported?.inFlight ?? null,
  };
}

function runningHook({ hook, body }: CommandRecord): CommandView["hook"] {
  const timeoutMs = hook && body.target.spec.hooks[hook.name]?.timeoutMs;
  return hook && timeoutMs ? { ...hook, timeoutMs } : null;
}

function edgeView(
  state: LedgerState,
  live: LiveFleet,
  spec: ServiceSpec,
  edge: HostRecord,
  nowMs: number,
): EdgeView {
  const report = edge.upstreams[spec.edge.upstream];
  return {
    hostId: edge.hostId,
    liveness: livenessOf(live, edge.hostId, nowMs),
    conflict: conflictOf(live, edge.hostId, nowMs),
    agent: agentView(edge),
    counted: edge.counted.includes(spec.edge.upstream),
    countedSince: edge.countedSince[spec.edge.upstream] ?? 0,
    confirmed: confirmedRevision(edge, spec.edge.upstream),
    refused: report?.refused ?? null,
    trouble: edgeTrouble(live, edge, spec.edge.upstream, nowMs),
    probes: report?.probes ?? [],
    prepared: report?.prepared?.revision ?? 0,
    ejected: report?.ejected ?? [],
    addresses: edge.facts?.edgeAddresses ?? [],
    heard: hasAnswered(state, edge),
    isFromBackup: isFromBackup(state, edge),
  };
}

/** Why an edge does not serve the newest revision, or why its agent can do nothing, or be told nothing, at all. */
export function edgeTrouble(
  live: LiveFleet,
  { hostId, upstreams }: HostRecord,
  upstream: UpstreamName,
  nowMs: number,
) {
  const report = upstreams[upstream];
  const conflict = conflictOf(live, hostId, nowMs);
  const stuck = live.beats.get(hostId)?.trouble ?? null;
  if (conflict === null && stuck === null) return report?.trouble ?? null;
  const message = conflict ? conflictText(hostId, conflict) : `its agent can do nothing: ${stuck}`;
  return { revision: report?.revision ?? 0, message };
}

function upstreamView(state: LedgerState, spec: ServiceSpec): UpstreamView {
  const record = state.upstreams.get(spec.edge.upstream);
  if (!record) {
    return {
      name: spec.edge.upstream,
      revision: 0,
      revisedAtMs: 0,
      content: firstContent(spec),
      history: [],
      swap: null,
    };
  }
  const view = upstreamViews.get(record) ?? upstreamViewOf(spec.edge.upstream, record);
  upstreamViews.set(record, view);
  return view;
}

/** As of an instance. */
const upstreamViews = new WeakMap<UpstreamRecord, UpstreamView>();

function upstreamViewOf(name: UpstreamName, record: UpstreamRecord): UpstreamView {
  const { revision, revisedAtMs, content, history, swap } = record;
  return { name, revision, revisedAtMs, content, history, swap };
}

/** An upstream that nothing is listed in yet: its name is known to nginx and answers 503, or closes (TCP). */
export function firstContent(spec: ServiceSpec): UpstreamContent {
  const { upstream, protocol, balance } = spec.edge;
  const content: UpstreamContent = { upstream, members: [], shares: [], balance, watch: [], checks: {} };
  return protocol === "tcp" ? { ...content, protocol } : content;
}
