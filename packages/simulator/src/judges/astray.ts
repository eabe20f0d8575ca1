import type { HostId, TargetId, Version } from "@siding/shared/ids";
import type { ServiceEvidence } from "../evidence/service-evidence.ts";
import { conductOf } from "../scenario/release.ts";
import type { World } from "../world.ts";

/**
 * A reachable host that is not where it should be, long after everything has healed; null where there is none. Whom nobody
 * holds is listed, at its address, on what it runs; when the last rollout has succeeded, on what that brought, unless it only took another back. What a
 * rollout of a person has left out is that person's to mend, and a release that can't run there can't be listed.
 */
export function astray(world: World): string | null {
  for (const service of world.court.evidence.services.values()) {
    for (const hostId of world.truth.hostIds()) {
      const why = whyAstray(world, service, hostId);
      if (why) return `${hostId} ${why} at the end (${service.name})`;
    }
  }
  return null;
}

function whyAstray(world: World, service: ServiceEvidence, hostId: HostId): string | null {
  const { truth, court } = world;
  const { evidence } = court;
  if (!evidence.host(hostId).isKnown || !truth.isReachable(hostId)) return null;
  const member = service.wanted.members.find((each) => each.hostId === hostId);
  if (member && waits(service, hostId)) return null;
  if (service.hold(hostId)) {
    const isStuck = member && (service.target !== null || isKnown(world, service, hostId, member.targetId));
    return isStuck ? `is ${service.hold(hostId)} by hand and listed` : null;
  }
  if (!member) return missing(world, service, hostId);
  const process = truth.processOf(hostId, service.name);
  if (member.address !== truth.addressOf(hostId) && isKnown(world, service, hostId, member.targetId))
    return `is listed at ${member.address}, where it is no more`;
  if (process && process.targetId !== member.targetId) {
    return `runs ${process.targetId} and is listed on ${member.targetId}`;
  }
  return behindTheOthers(world, service, hostId, member.targetId);
}

/** Of a release that it has forgotten a restored ledger knows the id alone: nobody can verify that elsewhere. */
function isKnown({ scenario }: World, service: ServiceEvidence, hostId: HostId, targetId: TargetId): boolean {
  const isRestored = scenario.faults.some(({ kind }) => kind === "ledger-restored");
  return !isRestored || service.served.get(hostId) === targetId;
}

/** Not on what the last rollout of a person brought, though that succeeded and meant this host too. */
function behindTheOthers(
  world: World,
  service: ServiceEvidence,
  hostId: HostId,
  targetId: TargetId,
): string | null {
  const { newestWish: wish } = service;
  if (wish?.status !== "succeeded" || targetId === wish.to) return null;
  const excused =
    wish.failed.has(hostId) ||
    wish.unreachable.has(hostId) ||
    // Whom the plan of a restored rollout did not know serves what it knows as little.
    ((wish.isUndo || wish.isFromBackup) && !wish.goals.has(hostId)) ||
    // Where rollouts that the backup does not know have left it: a person goes on with the fleet as it is.
    service.imported.get(hostId) === targetId ||
    !canRun(world, service, hostId, wish.to);
  return excused ? null : `is listed on ${targetId} and should be on ${wish.to}`;
}

/** It can't be taken out, as capacity or load do not allow it: that was said, and is tried again. */
function waits(service: ServiceEvidence, hostId: HostId): boolean {
  const newest = service.newestWith.get(hostId);
  const reasons = ["capacity", "load-headroom", "no-progress"];
  return newest?.origin === "reconciler" && newest.reasons.some((reason) => reasons.includes(reason));
}

/** Out of traffic: is it to be in? */
function missing(world: World, service: ServiceEvidence, hostId: HostId): string | null {
  const { target } = service;
  if (target === null || !canRun(world, service, hostId, target)) return null;
  // What a person's rollout has given up, nobody but a person takes up again.
  const newest = service.newestWith.get(hostId);
  if (newest?.origin === "person" && newest.givenUp.has(hostId)) return null;
  return `is out of traffic and should serve ${target}`;
}

function canRun({ scenario }: World, service: ServiceEvidence, hostId: HostId, target: TargetId): boolean {
  const version = target.slice(0, target.indexOf("@")) as Version;
  const { kind } = conductOf(scenario, { service: service.name, version, hostId });
  return kind === "sound" || kind === "dies";
}
