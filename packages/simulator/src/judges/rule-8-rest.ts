import { isWell } from "../box/process.ts";
import type { Fact } from "../fact.ts";
import type { Truth } from "../truth.ts";
import type { Evidence } from "./evidence.ts";
import type { JudgeMaker } from "./judge.ts";

/**
 * Rule 8: no rollout rests, paused or finished, with a healthy instance out of traffic by our action; and whatever waits
 * or rests says for what. Left aside are hosts that nobody could reach.
 */
export const rest: JudgeMaker = () => ({
  name: "rest",
  rule: "rule 8",
  observe(fact, truth, evidence) {
    if (fact.kind !== "event") return null;
    const { body } = fact.event;
    const nameless =
      body.type === "status-changed" &&
      (body.status === "paused" || body.status === "waiting") &&
      body.waiting.length === 0;
    if (nameless) return `the rollout is ${body.status} and does not say for what`;
    return rests(fact) ? forgotten(truth, evidence) : null;
  },
});

function rests({ event }: Extract<Fact, { kind: "event" }>): boolean {
  const { body } = event;
  return body.type === "rollout-finished" || (body.type === "status-changed" && body.status === "paused");
}

function forgotten(truth: Truth, evidence: Evidence): string | null {
  const { rollout } = evidence;
  if (!rollout) return null;
  for (const hostId of rollout.touched) {
    const host = evidence.host(hostId);
    const process = truth.processOf(hostId);
    const well = process !== null && isWell(process, truth.nowMs) && host.report?.health === "good";
    const reachable = truth.edgeIds().every((edgeId) => truth.hasPath(edgeId, hostId));
    const excused =
      rollout.unreachable.has(hostId) ||
      evidence.leftOut.has(hostId) ||
      evidence.isUnseen(hostId) ||
      !truth.isReachable(hostId) ||
      process?.conduct.kind === "loopback-only";
    if (well && reachable && !excused && host.isIdle() && !evidence.isListed(hostId)) {
      return `the rollout rests while ${hostId} runs ${process.targetId} well and is out of traffic`;
    }
  }
  return null;
}
