import { hasSameContent } from "@siding/shared/digest";
import type { InstanceReport, Report, StateReport, UpstreamReport } from "@siding/shared/report";
import type { EventBody } from "../ledger/event.ts";
import { type HostRecord, instanceSlotKey, type LedgerState } from "../ledger/state.ts";
import { behindOf, listsIn, observedIn } from "../orchestrator/behind.ts";

/**
 * What a report says that the ledger does not know yet. Reports wake the loop; they carry no decisions. The caller has
 * dropped reports that are older than the newest of their incarnation.
 */
export function intake(state: LedgerState, report: Report): readonly EventBody[] {
  const behind = behindOf(state, report);
  // The report that shows it is imported with it: its agent need not say that again.
  return [...behind, ...newsOf(state, report, state.behind !== null || behind.length > 0)];
}

function newsOf(state: LedgerState, report: Report, isBehind: boolean): readonly EventBody[] {
  if (report.kind === "refused") return refusal(state, report);
  const host = state.hosts.get(report.hostId);
  const incarnated = host?.incarnation !== report.incarnation;
  if (incarnated && !report.full) return [];
  const instances = report.instances.filter((instance) => isNewInstance(host, instance));
  const upstreams = report.upstreams.filter((upstream) => isNewUpstream(host, upstream));
  const facts = !hasSameContent(host?.facts, report.facts);
  const isWholeNews = report.full && (forgets(host, report) || host?.toldEpoch !== report.facts.epochSeen);
  const observed = [...listsIn(state, report), ...(isBehind ? observedIn(state, report) : [])];
  if (!incarnated && !facts && !isWholeNews && instances.length === 0 && upstreams.length === 0)
    return observed;
  return [
    ...observed,
    {
      type: "host-reported",
      hostId: report.hostId,
      incarnation: report.incarnation,
      full: report.full,
      facts: report.facts,
      instances: report.full ? report.instances : instances,
      upstreams: report.full ? report.upstreams : upstreams,
      voided: incarnated ? voidedBy(host, report) : [],
    },
  ];
}

function refusal(state: LedgerState, report: Extract<Report, { kind: "refused" }>): readonly EventBody[] {
  const { hostId, commandId, code, message } = report;
  const known = Object.values(state.hosts.get(hostId)?.instances ?? {}).some(
    (instance) => instance.command?.commandId === commandId,
  );
  return known ? [{ type: "command-refused", hostId, commandId, code, message }] : [];
}

function isNewInstance(host: HostRecord | undefined, report: InstanceReport): boolean {
  const known = host?.instances[instanceSlotKey(report.service, report.slot)]?.report;
  return !hasSameContent(known, report);
}

function isNewUpstream(host: HostRecord | undefined, report: UpstreamReport): boolean {
  return !hasSameContent(host?.upstreams[report.upstream], report);
}

function forgets(host: HostRecord | undefined, report: StateReport): boolean {
  const instances = report.instances.map((instance) => instanceSlotKey(instance.service, instance.slot));
  const upstreams: string[] = report.upstreams.map((upstream) => upstream.upstream);
  return (
    Object.entries(host?.instances ?? {}).some(
      ([key, { report: known }]) => known && !instances.includes(key),
    ) || Object.keys(host?.upstreams ?? {}).some((name) => !upstreams.includes(name))
  );
}

/** Commands under way that the agent's new incarnation does not know: they must be decided again. */
function voidedBy(host: HostRecord | undefined, report: StateReport) {
  return Object.values(host?.instances ?? {}).flatMap(({ command, service, slot }) => {
    if (!command || (command.status !== "issued" && command.status !== "running")) return [];
    const known = report.instances.find((instance) => instance.service === service && instance.slot === slot);
    const heard = known?.command?.commandId === command.commandId;
    return heard ? [] : [{ service, slot, commandId: command.commandId }];
  });
}
