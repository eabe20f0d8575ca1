import { isWell } from "../box/process.ts";
import type { RolloutEvidence } from "../evidence/rollout-evidence.ts";
import type { ServiceEvidence } from "../evidence/service-evidence.ts";
import type { Fact } from "../fact.ts";
import type { Truth } from "../truth.ts";
import type { JudgeMaker } from "./judge.ts";

/**
 * Rule 8: no rollout rests, paused or finished, with a healthy instance out of traffic by our action, unless a person
 * holds it; and whatever waits or rests says for what. Left aside are hosts that nobody could reach.
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
    const rollout = "rolloutId" in body ? evidence.rollouts.get(body.rolloutId) : undefined;
    const service = evidence.serviceOf(body);
    // What a restored ledger believes may long be otherwise; it waits for a person to look.
    if (evidence.isBehind) return null;
    return rollout && service && rests(fact) ? forgotten(rollout, service, truth) : null;
  },
});

function rests({ event }: Extract<Fact, { kind: "event" }>): boolean {
  const { body } = event;
  return body.type === "rollout-finished" || (body.type === "status-changed" && body.status === "paused");
}

function forgotten(rollout: RolloutEvidence, service: ServiceEvidence, truth: Truth): string | null {
  for (const hostId of rollout.touched) {
    const instance = service.instance(hostId);
    const process = truth.processOf(hostId, service.name);
    const well = process !== null && isWell(process, truth.nowMs) && instance?.report?.health === "good";
    const reachable = truth.edgeIds().every((edgeId) => truth.hasPath(edgeId, hostId));
    const excused =
      rollout.unreachable.has(hostId) ||
      service.leftOut.has(hostId) ||
      service.hold(hostId) !== null ||
      service.isUnseen(hostId) ||
      truth.isCloned(hostId) ||
      !truth.isReachable(hostId) ||
      process?.conduct.kind === "loopback-only";
    if (well && reachable && !excused && instance?.isIdle() && !service.isListed(hostId)) {
      return `the rollout rests while ${hostId} runs ${process.targetId} well and is out of traffic`;
    }
  }
  return null;
}
