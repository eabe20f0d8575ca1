import { isFinished } from "@siding/shared/phases";
import type { Target } from "@siding/shared/target";
import type { Action, Decision } from "./action.ts";
import { entryOf } from "./by-host.ts";
import { nextCommands } from "./commands.ts";
import { completionOf } from "./completion.ts";
import { type ClosedGate, restoredGate } from "./gates.ts";
import { deadlineOfGates, interventionsOf } from "./interventions.ts";
import { type Membership, membershipOf } from "./membership.ts";
import type { RolloutRecord } from "./record.ts";
import { hookEnd } from "./rollout-hook.ts";
import type { Snapshot } from "./snapshot.ts";
import { statusChange, statusOf } from "./status.ts";
import { type HostSurvey, listedTarget, type Survey, surveyOf } from "./survey.ts";
import { troublesOf } from "./troubles.ts";
import { waitingOf, wakeOf } from "./waiting.ts";

/**
 * advance(plan, snapshot, now) -> decision. Pure and level-triggered: it looks at what is, never at what was done, so it
 * can be asked again after any restart. The caller commits the actions and asks again until there are none.
 */
export function advance(rollout: RolloutRecord, snapshot: Snapshot, nowMs: number): Decision {
  if (isFinished(rollout.status)) return { actions: [], waiting: [], wakeAtMs: null, status: rollout.status };
  const survey = surveyOf(rollout, snapshot, nowMs);
  const restored = restoredGate(survey);
  if (restored) return waitingFor(survey, restored);
  const first = firstOf(survey);
  if (first.length > 0) return decisionOf(survey, [...first, ...phaseChanges(survey)], noMembership);
  const membership = baseGrows(survey) ? noMembership : membershipOf(survey);
  const steps = [
    ...nextCommands(survey),
    ...settlements(survey),
    ...finishedBatches(survey),
    ...membership.actions,
    ...deadlineOfGates(survey, membership),
  ];
  return decisionOf(survey, [...steps, ...phaseChanges(survey)], membership);
}

/** Nothing is decided but that nobody waits for ever. */
function waitingFor(survey: Survey, gate: ClosedGate): Decision {
  const membership = { actions: [], waiting: [gate.reason], gates: [gate] };
  return decisionOf(survey, deadlineOfGates(survey, membership), membership);
}

/** A host serves for the first time: from the next decision on it counts, and the minimum may be another. */
function baseGrows({ awake }: Survey): boolean {
  return awake.some(({ position, host }) => position.kind === "serving" && host?.instance.target === null);
}

/** What must be on record before anything else is decided. */
function firstOf(survey: Survey): readonly Action[] {
  const hook = hookEnd(survey);
  if (hook.length > 0) return hook;
  const troubles = troublesOf(survey);
  if (troubles.length > 0) return troubles;
  const interventions = interventionsOf(survey);
  if (interventions.length > 0) return interventions;
  const end = completionOf(survey);
  return end.length > 0 ? [...finishedBatches(survey), ...end] : [];
}

const noMembership: Membership = { actions: [], waiting: [], gates: [] };

function decisionOf(survey: Survey, steps: readonly Action[], membership: Membership): Decision {
  const waiting = waitingOf(survey, membership.waiting);
  const status = statusOf(survey, waiting);
  // A new plan or an end leaves nothing of what was surveyed: its status is the next decision's to say.
  const replaces = steps.some(({ type }) => type === "rollout-finished" || type === "rollout-planned");
  const actions = replaces ? steps : [...steps, ...statusChange(survey, status, waiting)];
  return { actions, waiting, wakeAtMs: wakeOf(survey, membership), status };
}

/** Hosts that every counted edge serves on their goal are settled, and those that have nowhere to go. */
function settlements(survey: Survey): readonly Action[] {
  const { rollout } = survey;
  return survey.awake.flatMap((host): Action[] => {
    const { hostId, slot } = host.planned;
    const on = settledOn(survey, host);
    return on === undefined ? [] : [{ type: "host-settled", rolloutId: rollout.id, hostId, slot, on }];
  });
}

/** Undefined where something is still to be done. */
function settledOn(survey: Survey, host: HostSurvey): Target | null | undefined {
  const { kind } = host.position;
  if (kind === "serving") return host.goal;
  if (kind === "stranded") return null;
  // On its way back, and in traffic with something else: the ledger was restored. It stays with what it serves.
  const isOvertaken = kind === "listed" && survey.rollout.plan.kind !== "forward";
  return isOvertaken ? listedTarget(survey, host) : undefined;
}

/** Phases are put on record when they change: history for people, timings for the benchmark. */
function phaseChanges({ rollout, awake }: Survey): readonly Action[] {
  const changed = awake.filter(({ isPhaseKnown }) => !isPhaseKnown);
  return changed.map(({ hostId, phase }) => ({
    type: "phase-changed",
    rolloutId: rollout.id,
    hostId,
    phase,
  }));
}

/** A batch is finished when all its hosts are settled. */
function finishedBatches({ rollout }: Survey): readonly Action[] {
  return rollout.batches.flatMap((batch, index): Action[] => {
    if (batch.finishedAtMs !== null) return [];
    const isOpen = batch.hosts.some((hostId) => entryOf(rollout.hosts, hostId)?.course.kind === "going");
    if (isOpen) return [];
    return [{ type: "batch-finished", rolloutId: rollout.id, batch: index }];
  });
}
