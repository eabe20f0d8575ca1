import type { HostId, ServiceName, TargetId } from "@siding/shared/ids";
import type { Report, StateReport } from "@siding/shared/report";
import { makeTarget, type Target } from "@siding/shared/target";
import type { EventBody } from "../ledger/event.ts";
import { instanceSlotKey, type LedgerState } from "../ledger/state.ts";
import { releaseOf } from "./declare.ts";
import { isInTraffic } from "./restate.ts";

/**
 * What follows where a report shows that the fleet has seen more than this ledger ever said: it was restored from a
 * backup (design section 4). A new epoch above all that was seen begins, with revisions above them too, so that nothing
 * means two things; what is under way pauses until a person has looked.
 */
export function behindOf(state: LedgerState, report: Report): readonly EventBody[] {
  const seen = seenBy(state, report);
  if (!seen) return [];
  const { hostId } = report;
  const epoch = Math.max(seen.epochSeen, state.epoch) + 1;
  const message = `${hostId} has seen epoch ${seen.epochSeen}, revision ${seen.revisionSeen}: this ledger is older than its fleet. Look at what the hosts run, then resume, abort or roll back`;
  const underWay = [...state.services.values()]
    .flatMap(({ activeRollout }) => (activeRollout ? (state.rollouts.get(activeRollout) ?? []) : []))
    .filter(({ intent }) => intent !== "pause");
  return [
    { type: "fleet-ahead", hostId, ...seen, epoch },
    ...underWay.map(
      ({ id, origin }): EventBody => ({
        type: "intent-set",
        rolloutId: id,
        intent: origin === "person" ? "pause" : "abort",
        cause: { code: "behind-fleet", message },
      }),
    ),
  ];
}

/**
 * A person has looked at what the hosts run, and the fleet goes on as it is. What is paused stays so: each rollout waits
 * for a word of its own. Said twice, or to a ledger that is not behind, it changes nothing.
 */
export function resumeFleet({ behind }: LedgerState, comment: string | null): readonly EventBody[] {
  return behind === null ? [] : [{ type: "fleet-resumed", comment }];
}

/** Null: no more than we have said. An epoch of ours that belongs to somebody else counts once, not for ever. */
function seenBy(state: LedgerState, report: Report) {
  if (report.kind === "refused") {
    const isTaken = report.code === "foreign-control-plane" && state.behind === null;
    return isTaken ? { epochSeen: state.epoch, revisionSeen: state.sequence } : null;
  }
  const { epochSeen, revisionSeen } = report.facts;
  return epochSeen > state.epoch || revisionSeen > state.sequence ? { epochSeen, revisionSeen } : null;
}

/**
 * To a ledger that is behind, what serves according to an agent is what serves: instances that were moved since the
 * backup. A target that this ledger has never heard of can't be taken; it is shown as what runs.
 */
export function observedIn(state: LedgerState, report: StateReport): readonly EventBody[] {
  return report.instances.flatMap((instance): readonly EventBody[] => {
    const { service, slot, running } = instance;
    const known = state.hosts.get(report.hostId)?.instances[instanceSlotKey(service, slot)];
    const wasListed = isListed(state, service, report.hostId);
    const serves = isInTraffic(instance, wasListed) && instance.health === "good";
    if (!serves || running === null || known?.target?.id === running) return [];
    const target = targetOf(state, running);
    return target ? [{ type: "instance-observed", hostId: report.hostId, service, slot, target }] : [];
  });
}

/** Lists that this ledger has never said, the newest of each upstream: edges go on serving them. */
export function listsIn({ upstreams }: LedgerState, { facts, lists }: StateReport): readonly EventBody[] {
  if (!facts.roles.includes("edge")) return [];
  return lists.flatMap(({ upstream: name, revision, members }): readonly EventBody[] => {
    const upstream = upstreams.get(name);
    const isNews = upstream && revision > Math.max(upstream.revision, upstream.observed?.revision ?? 0);
    return isNews ? [{ type: "upstream-observed", upstream: name, revision, members }] : [];
  });
}

function isListed({ services, upstreams }: LedgerState, service: ServiceName, hostId: HostId): boolean {
  const upstream = services.get(service)?.spec.edge.upstream;
  const members = (upstream && upstreams.get(upstream)?.content.members) ?? [];
  return members.some((member) => member.hostId === hostId);
}

/** From whatever still has it whole: a rollout that went there or came from there, or a release with the present spec. */
function targetOf({ rollouts, releases, services }: LedgerState, id: TargetId): Target | undefined {
  const moved = [...rollouts.values()].flatMap(({ to, hosts }) => [
    to,
    ...hosts.flatMap(({ from }) => from ?? []),
  ]);
  const present = [...releases.values()].flatMap((release) => {
    const record = services.get(release.service);
    return record ? [makeTarget(releaseOf(release), record.specRevision, record.spec.target)] : [];
  });
  return [...moved, ...present].find((target) => target.id === id);
}
