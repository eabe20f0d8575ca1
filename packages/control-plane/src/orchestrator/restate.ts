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
  const found = hostsOf(state, service).flatMap((host) => memberOf(service, upstream, host) ?? []);
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

/** What the host is listed with; null where it is out of traffic. Of whom nothing was heard the ledger's word stands. */
function memberOf({ spec }: ServiceRecord, upstream: UpstreamRecord, host: HostRecord): Member | null {
  const { content, revision } = upstream;
  const listed = content.members.find(({ hostId }) => hostId === host.hostId) ?? null;
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
  const { routedAt } = host;
  return {
    hostId: host.hostId,
    slot: servingSlot,
    targetId: report.running,
    // Where it has come to since nobody has verified it: that it has moved is the reconciler's to see.
    address: routedAt && routedAt.revision > revision ? routedAt.address : host.facts.address,
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
