import type { Member } from "@siding/shared/command";
import type { HostId, UpstreamName } from "@siding/shared/ids";
import { upstreamDigest } from "@siding/shared/upstream-digest";
import type { ActionOf } from "../rollout/action.ts";
import { entriesOf } from "../rollout/by-host.ts";
import type { LedgerEvent, OutsideEvent } from "./event.ts";
import { type Rule, selected } from "./selection.ts";
import type { HostRecord, LedgerState, Touched, UpstreamRecord } from "./state.ts";

/** A new revision: its number is the sequence of its commit. Listed instances are no longer drained. */
export function foldUpstreamRevised(
  state: LedgerState,
  event: LedgerEvent,
  body: ActionOf<"upstream-revised">,
): readonly Touched[] {
  const { content, service } = body;
  const before = state.upstreams.get(content.upstream);
  const next: UpstreamRecord = {
    service,
    revision: event.sequence,
    revisedAtMs: event.elapsedMs,
    digest: upstreamDigest(content),
    content,
    history: [...(before?.history ?? []), { revision: event.sequence, members: content.members }],
    swap: body.together ? swapOf(body.together, event) : null,
    observed: null,
  };
  state.upstreams.set(content.upstream, withoutForgotten(state, next));
  const touched: Touched[] = [{ table: "upstreams", key: content.upstream }];
  for (const member of drainedOf(state, content.members)) {
    const host = state.hosts.get(member.hostId);
    const key = `${service}/${member.slot}`;
    const instance = host?.instances[key];
    if (!host || !instance?.drained) continue;
    state.hosts.set(member.hostId, {
      ...host,
      instances: { ...host.instances, [key]: { ...instance, drained: false } },
    });
    touched.push({ table: "hosts", key: member.hostId });
  }
  return touched;
}

/** A list names a whole fleet, and a few of it have drained. */
function drainedOf(state: LedgerState, members: readonly Member[]): readonly Member[] {
  return selected(state, drained, drained).flatMap((hostId) => entriesOf(members, hostId));
}

const drained: Rule = {
  isMeant: ({ instances }) => Object.values(instances).some((instance) => instance.drained),
};

export function foldUpstreamObserved(
  state: LedgerState,
  { upstream: name, revision, members }: Extract<OutsideEvent, { type: "upstream-observed" }>,
): readonly Touched[] {
  const upstream = state.upstreams.get(name);
  if (!upstream) return [];
  state.upstreams.set(name, { ...upstream, observed: { revision, members } });
  return [{ table: "upstreams", key: name }];
}

/** Drops the lists that no counted edge can be serving any more. */
export function withoutForgotten(state: LedgerState, upstream: UpstreamRecord): UpstreamRecord {
  const name = upstream.content.upstream;
  const edges = selected(state, counting, counting).flatMap((hostId) => state.hosts.get(hostId) ?? []);
  const confirmed = edges
    .filter((edge) => edge.counted.includes(name))
    .map((edge) => confirmedRevision(edge, name));
  const oldest = Math.min(upstream.revision, ...confirmed);
  const history = upstream.history.filter((list) => list.revision >= oldest);
  return history.length === upstream.history.length ? upstream : { ...upstream, history };
}

const counting: Rule = { isMeant: ({ counted }) => counted.length > 0 };

/** One edge alone is never at odds with itself, and has nobody to wait for. */
function swapOf(edges: HostId[], { elapsedMs }: LedgerEvent): UpstreamRecord["swap"] {
  return { edges, committedAtMs: edges.length > 1 ? null : elapsedMs, firstServedAtMs: null };
}

/** An edge has said something: whether all have prepared a swap by now, and how far apart they serve it. */
export function foldSwap(state: LedgerState, event: LedgerEvent, name: UpstreamName): readonly Touched[] {
  const upstream = state.upstreams.get(name);
  if (!upstream?.swap) return [];
  const { swap, revision, service } = upstream;
  const reports = swap.edges.map((hostId) => state.hosts.get(hostId)?.upstreams[name]);
  const served = reports.filter((report) => report?.serving?.revision === revision).length;
  const ready = reports.filter(
    (report) => report?.prepared?.revision === revision || report?.serving?.revision === revision,
  ).length;
  const committedAtMs = swap.committedAtMs ?? (ready === swap.edges.length ? event.elapsedMs : null);
  const firstServedAtMs = swap.firstServedAtMs ?? (served > 0 ? event.elapsedMs : null);
  const touched: Touched[] = [];
  if (committedAtMs !== swap.committedAtMs || firstServedAtMs !== swap.firstServedAtMs) {
    state.upstreams.set(name, { ...upstream, swap: { ...swap, committedAtMs, firstServedAtMs } });
    touched.push({ table: "upstreams", key: name });
  }
  const id = state.services.get(service)?.activeRollout;
  const rollout = id ? state.rollouts.get(id) : undefined;
  if (!rollout || served < swap.edges.length || firstServedAtMs === null) return touched;
  if (rollout.swapSpreadMs !== null || swap.edges.length === 1) return touched;
  state.rollouts.set(rollout.id, { ...rollout, swapSpreadMs: event.elapsedMs - firstServedAtMs });
  return [...touched, { table: "rollouts", key: rollout.id }];
}

export function confirmedRevision(host: HostRecord, upstream: string): number {
  return host.upstreams[upstream]?.serving?.revision ?? 0;
}

export function foldEdgeExcluded(
  state: LedgerState,
  event: LedgerEvent,
  { hostId, comment }: Extract<OutsideEvent, { type: "edge-excluded" }>,
): readonly Touched[] {
  const host = state.hosts.get(hostId);
  if (!host) return [];
  const excluded = { by: event.by, at: event.at, comment };
  state.hosts.set(hostId, { ...host, counted: [], countedSince: {}, excluded });
  return [{ table: "hosts", key: hostId }];
}

/** Counted at once for what it serves as it is wanted now; for the rest, when it has confirmed that. */
export function foldEdgeIncluded(state: LedgerState, event: LedgerEvent, hostId: HostId): readonly Touched[] {
  const host = state.hosts.get(hostId);
  if (!host) return [];
  const isCurrent = ({ content, revision }: UpstreamRecord) =>
    state.behind === null && confirmedRevision(host, content.upstream) === revision;
  const counted = [...state.upstreams.values()].filter(isCurrent).map(({ content }) => content.upstream);
  state.hosts.set(hostId, { ...host, counted, countedSince: sinceNow(counted, event), excluded: null });
  return [{ table: "hosts", key: hostId }];
}

/** The edge counts for these from this event on. */
export function sinceNow(
  upstreams: readonly UpstreamName[],
  { sequence }: LedgerEvent,
): HostRecord["countedSince"] {
  return Object.fromEntries(upstreams.map((upstream) => [upstream, sequence]));
}
