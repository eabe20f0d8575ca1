import type { Member } from "@siding/shared/command";
import type { HostId } from "@siding/shared/ids";
import { isWell } from "../box/process.ts";
import type { ServiceEvidence } from "../evidence/service-evidence.ts";
import { nameOf } from "../person.ts";
import type { World } from "../world.ts";
import { astray } from "./astray.ts";
import type { Verdict } from "./judge.ts";

/**
 * At the end of a run, long after everything has healed: every rollout has ended, every command is answered, every edge
 * serves the newest list, and every reachable host that nobody holds is listed on the target that it should have.
 */
export function liveness(world: World): Verdict | null {
  // A ledger that is behind moves nobody before a person has looked, and says so.
  const waits = world.court.evidence.isBehind;
  const message =
    unfinished(world) ??
    unanswered(world) ??
    (waits ? null : (unsettled(world) ?? edgesBehind(world) ?? astray(world)));
  return message === null ? null : { judge: "liveness", rule: "rule 8", atMs: world.timeline.nowMs, message };
}

function unfinished({ people, operator, plane }: World): string | null {
  const person = people.find((each) => !each.isContent);
  if (!person) return operator.isContent ? null : "what was to be done by hand was never done";
  const doing = plane.ask(({ state }) => {
    const active = state.services.get(person.service)?.activeRollout;
    const rollout = active && state.rollouts.get(active);
    if (!rollout) return "nothing is under way";
    const reasons = rollout.waiting.map(({ code, message }) => `${code}: ${message}`).join("; ");
    return `${rollout.id} is ${rollout.status} (${rollout.intent}), waiting for: ${reasons || "nothing"}`;
  });
  const what = person.nextWish ? `the rollout of ${nameOf(person.nextWish)}` : "a rollout";
  return `${what} of ${person.service} never ended; ${doing ?? "the control plane is away"}`;
}

function unanswered({ plane, truth }: World): string | null {
  const commands = plane.unanswered().filter(({ hostId }) => truth.isReachable(hostId));
  const [first] = commands;
  return first ? `${commands.length} commands are never answered, as ${first.kind} to ${first.hostId}` : null;
}

function unsettled({ plane, truth }: World): string | null {
  return plane.ask(({ state }) => {
    for (const host of state.hosts.values()) {
      for (const { command } of Object.values(host.instances)) {
        const open = command?.status === "issued" || command?.status === "running";
        if (open && truth.isReachable(host.hostId)) {
          return `${command.body.kind} ${command.commandId} of ${host.hostId} is ${command.status} for ever`;
        }
      }
    }
    return null;
  });
}

function edgesBehind(world: World): string | null {
  for (const service of world.court.evidence.services.values()) {
    const behind = edgeBehind(world, service);
    if (behind) return behind;
  }
  return null;
}

function edgeBehind({ truth, timeline }: World, service: ServiceEvidence): string | null {
  const { revision, members: wanted, together } = service.wanted;
  const hasRefused = (edgeId: HostId) => service.edge(edgeId).refused?.revision === revision;
  for (const edgeId of truth.edgeIds()) {
    const lists = truth.listsOf(edgeId, service.name);
    // What nginx has refused is not tried again before a rollout wants it or something else; that was said. What several
    // edges are to take together none takes then.
    if (hasRefused(edgeId) || together.some(hasRefused)) continue;
    // Whoever does not answer may be ejected; whoever is well has been let in again by now.
    const isIll = ({ hostId, address }: Member) => {
      const process = truth.processOf(hostId, service.name);
      return process === null || !isWell(process, timeline.nowMs) || truth.addressOf(hostId) !== address;
    };
    const routed = new Set(lists.flatMap(({ members }) => members.map(({ hostId }) => hostId)));
    const expected = wanted.filter((member) => routed.has(member.hostId) || !isIll(member));
    const behind = lists.length !== 1 || lists.some(({ members }) => !sameHosts(members, expected));
    if (revision > 0 && behind) {
      return `edge ${edgeId} does not route ${service.name} by revision ${revision} at the end`;
    }
  }
  return null;
}

function sameHosts(left: readonly { hostId: string }[], right: readonly { hostId: string }[]): boolean {
  const text = (members: readonly { hostId: string }[]) => members.map(({ hostId }) => hostId).join();
  return text(left) === text(right);
}
