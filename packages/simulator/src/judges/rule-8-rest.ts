import type { LedgerEvent } from "@siding/control-plane/ledger/event";
import { isWell } from "../box/process.ts";
import type { Evidence } from "../evidence/evidence.ts";
import type { RolloutEvidence } from "../evidence/rollout-evidence.ts";
import type { ServiceEvidence } from "../evidence/service-evidence.ts";
import type { Fact } from "../fact.ts";
import type { Truth } from "../truth.ts";
import type { JudgeMaker } from "./judge.ts";

type Body = LedgerEvent["body"];

/**
 * Rule 8: no rollout rests, paused or finished, with a healthy instance out of traffic by our action, unless a person
 * holds it; and whatever waits or rests says for what. Left aside are hosts that nobody could reach.
 */
export const rest: JudgeMaker = () => ({
  name: "rest",
  rule: "rule 8",
  observe(fact, truth, evidence) {
    if (fact.kind === "restless") return `decisions undo each other: ${fact.passes} passes`;
    if (fact.kind !== "event") return null;
    if (isNameless(fact.event.body)) return "the rollout waits or rests, and does not say for what";
    // What a restored ledger believes may long be otherwise; it waits for a person to look.
    return evidence.isBehind || !rests(fact) ? null : judged(fact.event.body, truth, evidence);
  },
});

function isNameless(body: Body): boolean {
  const still = body.type === "status-changed" && (body.status === "paused" || body.status === "waiting");
  return still && body.waiting.length === 0;
}

function judged(body: Body, truth: Truth, evidence: Evidence): string | null {
  const rollout = "rolloutId" in body ? evidence.rollouts.get(body.rolloutId) : undefined;
  const service = evidence.serviceOf(body);
  return rollout && service && !rollout.isFromBackup ? forgotten(rollout, service, truth) : null;
}

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
