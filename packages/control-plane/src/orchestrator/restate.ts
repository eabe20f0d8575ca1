import type { Member, UpstreamContent } from "@siding/shared/command";
import { edgeCheckOf } from "@siding/shared/health";
import { weightOf } from "@siding/shared/ids";
import type { InstanceReport } from "@siding/shared/report";
import type { ServiceSpec } from "@siding/shared/spec";
import { portOf } from "@siding/shared/target";
import { edgesOf, hostsOf, isFromBackup, servingSlot } from "../fleet/snapshot.ts";
import type { EventBody } from "../ledger/event.ts";
import {
  type HostRecord,
  instanceSlotKey,
  type LedgerState,
  type ServiceRecord,
  type UpstreamRecord,
} from "../ledger/state.ts";
import { entryOf } from "../rollout/by-host.ts";

/**
 * After a backup was restored the edges serve a list that this ledger has never said. As soon as a person has looked and
 * goes on, and every edge has said what it has, the list is said anew, above all that was seen. Empty where every edge is
 * where the ledger is.
 */
export function restate(state: LedgerState, service: ServiceRecord): readonly EventBody[] {
  const { spec } = service;
  const upstream = state.upstreams.get(spec.edge.upstream);
  if (!upstream || !isOutdated(state, upstream, spec) || isLost(state, spec)) return [];
  const members = membersOf(state, service, upstream);
  const sorted = members.toSorted((left, right) => (left.hostId < right.hostId ? -1 : 1));
  const { balance } = spec.edge;
  const content = { ...upstream.content, balance, members: sorted, watch: [] };
  return [
    {
      type: "upstream-revised",
      service: spec.name,
      content: { ...content, checks: checksOf(state, service, content) },
    },
  ];
}

/** A list that this ledger has never said is in force: to say its own, of before, would undo what has been done since. */
export function isListLost(state: LedgerState, { spec }: ServiceRecord): boolean {
  const upstream = state.upstreams.get(spec.edge.upstream);
  return upstream !== undefined && (isLost(state, spec) || isOutdated(state, upstream, spec));
}

/** An edge is ahead, also with a list that its nginx has refused: its agent takes nothing older any more. */
function isOutdated(state: LedgerState, { revision, observed }: UpstreamRecord, spec: ServiceSpec): boolean {
  const isAhead = ({ upstreams }: HostRecord) => (upstreams[spec.edge.upstream]?.revision ?? 0) > revision;
  return (observed?.revision ?? 0) > revision || neededEdges(state, spec).some(isAhead);
}

/** Nobody has looked yet, or an edge has not said yet what it has. */
function isLost(state: LedgerState, spec: ServiceSpec): boolean {
  return state.behind !== null || neededEdges(state, spec).some((edge) => isFromBackup(state, edge));
}

function neededEdges(state: LedgerState, spec: ServiceSpec): readonly HostRecord[] {
  return edgesOf(state, spec).filter(({ excluded }) => excluded === null);
}

/**
 * Who serves: by the newest list that an edge has. From agents of before they said that, whoever serves by the word of its
 * own agent.
 */
function membersOf(
  state: LedgerState,
  service: ServiceRecord,
  { observed, revision, content }: UpstreamRecord,
): readonly Member[] {
  if (observed !== null && observed.revision > revision) {
    const known = observed.members.filter((member) => isOurs(state, service, member));
    if (known.length > 0 || observed.members.length === 0) return known;
  }
  const found = hostsOf(state, service).flatMap((host) => memberOf(service, content, host) ?? []);
  return found.length > 0 ? found : content.members;
}

/**
 * Of a host that is known here, and runs what the list says, as far as it was heard: an edge may have been another
 * fleet's before.
 */
function isOurs(state: LedgerState, { spec }: ServiceRecord, { hostId, targetId }: Member): boolean {
  const host = state.hosts.get(hostId);
  if (!host || isFromBackup(state, host)) return host !== undefined;
  const running = host.instances[instanceSlotKey(spec.name, servingSlot)]?.report?.running ?? null;
  return running === null || running === targetId;
}

/** Null where it is out of traffic. Of whom nothing was heard the ledger's word stands. */
function memberOf({ spec }: ServiceRecord, { members }: UpstreamContent, host: HostRecord): Member | null {
  const listed = entryOf(members, host.hostId) ?? null;
  const instance = host.instances[instanceSlotKey(spec.name, servingSlot)];
  const report = instance?.report;
  if (!report || !host.facts || (host.hold && !listed)) return listed;
  if (!isInTraffic(report, listed !== null)) return null;
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
    address: host.facts.address,
    port,
    ...(weight === 1 ? {} : { weight }),
  };
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
