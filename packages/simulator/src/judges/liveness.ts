import type { HostId } from "@siding/shared/ids";
import { isWell } from "../box/process.ts";
import type { World } from "../world.ts";
import type { Verdict } from "./judge.ts";

/**
 * At the end of a run, long after everything has healed: every rollout has ended, every command is answered, every edge
 * serves the newest list, and every instance that is well is in traffic unless the last rollout says that it left it.
 */
export function liveness(world: World): Verdict | null {
  const message =
    unfinished(world) ?? unanswered(world) ?? unsettled(world) ?? edgesBehind(world) ?? leftOut(world);
  return message === null ? null : { judge: "liveness", rule: "rule 8", atMs: world.timeline.nowMs, message };
}

function unfinished({ person, plane, scenario }: World): string | null {
  if (person.isContent) return null;
  const wish = scenario.wishes[person.fulfilled.length];
  const doing = plane.ask(({ state }) => {
    const rollout = [...state.rollouts.values()].at(-1);
    if (!rollout) return "nothing was ever begun";
    const reasons = rollout.waiting.map(({ code, message }) => `${code}: ${message}`).join("; ");
    return `${rollout.id} is ${rollout.status} (${rollout.intent}), waiting for: ${reasons || "nothing"}`;
  });
  return `the rollout of ${wish?.version ?? "?"} never ended; ${doing ?? "the control plane is away"}`;
}

function unanswered({ plane }: World): string | null {
  const commands = plane.unanswered();
  const [first] = commands;
  return first ? `${commands.length} commands are never answered, as ${first.kind} to ${first.hostId}` : null;
}

function unsettled({ plane }: World): string | null {
  return plane.ask(({ state }) => {
    for (const host of state.hosts.values()) {
      for (const { command } of Object.values(host.instances)) {
        if (command?.status === "issued" || command?.status === "running") {
          return `${command.body.kind} ${command.commandId} of ${host.hostId} is ${command.status} for ever`;
        }
      }
    }
    return null;
  });
}

function edgesBehind({ truth, court, timeline }: World): string | null {
  const { revision, members: wanted } = court.evidence.wanted;
  for (const edgeId of truth.edgeIds()) {
    const lists = truth.listsOf(edgeId);
    // What nginx has refused is not tried again before something else is wanted; that was said.
    if (court.evidence.edges.get(edgeId)?.refused?.revision === revision) continue;
    // Whoever does not answer may be ejected; whoever is well has been let in again by now.
    const isIll = (hostId: HostId) => {
      const process = truth.processOf(hostId);
      return process === null || !isWell(process, timeline.nowMs);
    };
    const routed = new Set(lists.flatMap(({ members }) => members.map(({ hostId }) => hostId)));
    const expected = wanted.filter(({ hostId }) => routed.has(hostId) || !isIll(hostId));
    const behind = lists.length !== 1 || lists.some(({ members }) => !sameHosts(members, expected));
    if (revision > 0 && behind) return `edge ${edgeId} does not route by revision ${revision} at the end`;
  }
  return null;
}

function sameHosts(left: readonly { hostId: string }[], right: readonly { hostId: string }[]): boolean {
  const text = (members: readonly { hostId: string }[]) => members.map(({ hostId }) => hostId).join();
  return text(left) === text(right);
}

function leftOut({ truth, court, timeline }: World): string | null {
  const { evidence } = court;
  for (const hostId of truth.hostIds()) {
    const process = truth.processOf(hostId);
    const excused =
      evidence.leftOut.has(hostId) ||
      !evidence.served.has(hostId) ||
      process?.conduct.kind === "loopback-only";
    if (process && isWell(process, timeline.nowMs) && !excused && !evidence.isListed(hostId)) {
      return `${hostId} runs ${process.targetId} well and is out of traffic at the end`;
    }
  }
  return null;
}
