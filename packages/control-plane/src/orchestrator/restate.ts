import type { Member, UpstreamContent } from "@siding/shared/command";
import { edgeCheckOf } from "@siding/shared/health";
import { weightOf } from "@siding/shared/ids";
import type { InstanceReport } from "@siding/shared/report";
import { portOf } from "@siding/shared/target";
import { edgesOf, hostsOf, servingSlot } from "../fleet/snapshot.ts";
import type { EventBody } from "../ledger/event.ts";
import {
  type HostRecord,
  instanceSlotKey,
  type LedgerState,
  type ServiceRecord,
  type UpstreamRecord,
} from "../ledger/state.ts";
import { entryOf } from "../rollout/by-host.ts";
import { minServingOf } from "../rollout/capacity.ts";

/**
 * After a backup was restored the edges serve a list that this ledger has never said. As soon as a person has looked and
 * goes on, the list is said anew, above all that was seen: everybody who serves by the word of its own agent, and nobody
 * whom it has taken out since. Empty where every edge is where the ledger is.
 */
export function restate(state: LedgerState, service: ServiceRecord): readonly EventBody[] {
  const { spec } = service;
  const upstream = state.upstreams.get(spec.edge.upstream);
  if (!upstream || state.behind !== null) return [];
  // Also one that nginx has refused: its agent takes nothing older any more.
  const isAhead = ({ upstreams }: HostRecord) =>
    (upstreams[spec.edge.upstream]?.revision ?? 0) > upstream.revision;
  if (!edgesOf(state, spec).some((edge) => edge.excluded === null && isAhead(edge))) return [];
  const found = membersOf(state, service, upstream);
  const members = found.length > 0 ? found : upstream.content.members;
  const sorted = members.toSorted((left, right) => (left.hostId < right.hostId ? -1 : 1));
  const content = { ...upstream.content, members: sorted, watch: [] };
  return [
    {
      type: "upstream-revised",
      service: spec.name,
      content: { ...content, checks: checksOf(state, service, content) },
    },
  ];
}

/**
 * Who serves. One that has another address than this ledger knew may be routed to at either, and may never have been
 * verified at the new one: it is left out, and the reconciler takes it in from there, unless that leaves too few.
 */
function membersOf(state: LedgerState, service: ServiceRecord, upstream: UpstreamRecord): readonly Member[] {
  const serving = hostsOf(state, service).flatMap((host) => servingOf(service, upstream, host) ?? []);
  const sure = serving.filter(({ isSure }) => isSure);
  const least = minServingOf(service.spec.capacity.minServing, serving.length);
  return (sure.length >= least ? sure : serving).map(({ member }) => member);
}

interface Serving {
  readonly member: Member;
  /** Where edges route to it by all that is known. */
  readonly isSure: boolean;
}

/** Null where it is out of traffic. Of whom nothing was heard the ledger's word stands. */
function servingOf(service: ServiceRecord, upstream: UpstreamRecord, host: HostRecord): Serving | null {
  const listed = entryOf(upstream.content.members, host.hostId) ?? null;
  const member = memberOf(service, upstream, host, listed);
  if (!member || member === listed) return member && { member, isSure: true };
  const isWhereListed = listed === null || listed.address === member.address;
  return { member, isSure: isWhereListed && (routedAt(upstream, host)?.isSure ?? true) };
}

function memberOf(
  { spec }: ServiceRecord,
  upstream: UpstreamRecord,
  host: HostRecord,
  listed: Member | null,
): Member | null {
  const instance = host.instances[instanceSlotKey(spec.name, servingSlot)];
  const report = instance?.report;
  if (!report || !host.facts || (host.hold && !listed)) return listed;
  if (!isInTraffic(report, listed !== null)) return null;
  // Where it has come to since nobody has verified it: that it has moved is the reconciler's to see.
  const { address } = routedAt(upstream, host) ?? host.facts;
  if (report.running === null || report.health === "bad") return listed;
  // A release that was registered after the backup is known by its id alone.
  const known = instance.target?.id === report.running ? instance.target.spec : spec.target;
  const port = portOf(known.ports, servingSlot);
  if (port === null) return listed;
  const weight = weightOf(host.facts.labels);
  return {
    hostId: host.hostId,
    slot: servingSlot,
    targetId: report.running,
    address,
    port,
    ...(weight === 1 ? {} : { weight }),
  };
}

/** Null where it was not heard since the ledger is behind. */
function routedAt({ revision }: UpstreamRecord, { routedAt }: HostRecord): HostRecord["routedAt"] {
  return routedAt !== null && routedAt.revision > revision ? routedAt : null;
}

/**
 * By its newest command: it was told that it had joined, or nothing that would take it out. One that has only staged since
 * is where it was.
 */
export function isInTraffic({ command }: InstanceReport, wasListed: boolean): boolean {
  return command?.kind === "rejoin" || (wasListed && (command === null || command.kind === "stage"));
}

function checksOf(
  { hosts }: LedgerState,
  { spec }: ServiceRecord,
  { members, checks: before }: UpstreamContent,
): UpstreamContent["checks"] {
  const checks: UpstreamContent["checks"] = {};
  for (const { hostId, targetId } of members) {
    const target = hosts.get(hostId)?.instances[instanceSlotKey(spec.name, servingSlot)]?.target;
    const own = target?.id === targetId ? edgeCheckOf(target.spec.health) : undefined;
    checks[targetId] = checks[targetId] ?? own ?? before[targetId] ?? edgeCheckOf(spec.target.health);
  }
  return checks;
}
