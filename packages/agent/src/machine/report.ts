import { features } from "@siding/shared/features";
import { protocolVersion } from "@siding/shared/message";
import type { AcceptedList, HostFacts, InstanceReport, Report, UpstreamReport } from "@siding/shared/report";
import { inFlight } from "./drain.ts";
import { healthTrouble } from "./health.ts";
import type { Refusal } from "./intake.ts";
import type { AcceptedCommand } from "./journal.ts";
import { absenceTrouble } from "./process.ts";
import type { Instance, MachineState, Upstream } from "./state.ts";

/** Everything that the control plane may know of an instance. */
export function instanceReport(instance: Instance): InstanceReport {
  const { journal, process, health } = instance;
  const runs = process.kind === "running" || process.kind === "stopping";
  return {
    service: journal.service,
    slot: journal.slot,
    revision: journal.command?.revision ?? 0,
    command: journal.command && progress(instance, journal.command),
    staged: journal.staged.map((each) => each.targetId),
    running: runs ? process.targetId : null,
    health,
    trouble: absenceTrouble(instance) ?? healthTrouble(instance),
  };
}

function progress(instance: Instance, command: AcceptedCommand): InstanceReport["command"] {
  const { hooking } = instance;
  const { commandId, body, outcome, timings } = command;
  const counts = inFlight(instance);
  return {
    commandId,
    kind: body.kind,
    targetId: body.target.id,
    status: outcome.kind,
    ...(outcome.kind === "failed" ? { failure: outcome.failure } : {}),
    ...(counts === null ? {} : { inFlight: counts }),
    ...(hooking.kind === "running" && hooking.commandId === commandId ? { hook: hooking.hook } : {}),
    timings,
  };
}

export function stateReport(
  state: MachineState,
  full: boolean,
  instances: readonly InstanceReport[],
  upstreams: readonly UpstreamReport[],
  sequence: number,
): Report {
  const { agent, incarnation } = state;
  return {
    v: protocolVersion,
    kind: "state",
    hostId: agent.hostId,
    incarnation,
    sequence,
    full,
    facts: facts(state),
    instances: [...instances],
    upstreams: [...upstreams],
    lists: full ? [...state.upstreams.values()].map(acceptedList) : [],
  };
}

function acceptedList({ journal: { upstream, revision, content } }: Upstream): AcceptedList {
  return { upstream, revision, members: content.members };
}

export function refusalReport(state: MachineState, refusal: Refusal, sequence: number): Report {
  const { agent, incarnation } = state;
  return { v: protocolVersion, kind: "refused", hostId: agent.hostId, incarnation, sequence, ...refusal };
}

function facts({ agent, controlPlane, instances, upstreams }: MachineState): HostFacts {
  const { agentVersion, hostname, address, labels, roles, edgeAddresses, inventory } = agent;
  const revisions = [
    ...[...instances.values()].map(({ journal }) => journal.command?.revision ?? 0),
    ...[...upstreams.values()].map(({ journal }) => journal.revision),
  ];
  return {
    agentVersion,
    hostname,
    address,
    labels,
    roles: [...roles],
    edgeAddresses: [...edgeAddresses],
    epochSeen: controlPlane?.epoch ?? 0,
    revisionSeen: Math.max(0, ...revisions),
    features: [...features],
    inventory,
  };
}
