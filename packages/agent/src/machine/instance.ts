import type { ServiceName, Slot } from "@siding/shared/ids";
import { formatMs } from "@siding/shared/units";
import { carryOnDrain, drainWakeAtMs, freshDrain } from "./drain.ts";
import { checkHealth, healthWakeAtMs } from "./health.ts";
import { carryOnShot, endUnwantedHook } from "./hook.ts";
import type { AcceptedCommand, InstanceJournal } from "./journal.ts";
import { commandInHand, inTurn, type Moment, type Move, still } from "./move.ts";
import { fail } from "./outcome.ts";
import { freshProbing } from "./probing.ts";
import { keepWanted } from "./process.ts";
import { carryOnStage, stageWakeAtMs } from "./stage.ts";
import type { Instance } from "./state.ts";
import { stepFailure } from "./step-failure.ts";
import { freshSupervision, supervisionWakeAtMs } from "./supervision.ts";
import { carryOnUpdate, switchTarget } from "./update.ts";
import { carryOnVerify, verifyWakeAtMs } from "./verify.ts";

export function newInstance(service: ServiceName, slot: Slot, nowMs: number): Instance {
  const nothing = {
    command: null,
    wanted: null,
    starts: 0,
    started: null,
    restarted: null,
    served: [],
    staged: [],
    shots: [],
  };
  return asleep({ service, slot, ...nothing }, nowMs);
}

/** An instance of which only the journal is known. */
export function asleep(journal: InstanceJournal, nowMs: number): Instance {
  return {
    journal,
    process: { kind: "absent", exit: null },
    probing: freshProbing(nowMs),
    health: "unknown",
    staging: { kind: "idle" },
    drain: freshDrain(nowMs),
    hooking: { kind: "idle" },
    supervision: freshSupervision,
    countsSaidAtMs: null,
    ops: 0,
  };
}

/** Does what is due. Called after every event: what to do follows from what is, never from what came last. */
export function carryOn(instance: Instance, moment: Moment): Move {
  return inTurn(instance, moment, [
    switchTarget,
    keepWanted,
    carryOnStage,
    carryOnDrain,
    carryOnUpdate,
    carryOnVerify,
    carryOnShot,
    endOverdue,
    endUnwantedHook,
    checkHealth,
  ]);
}

/** The next instant at which something is due without an event. */
export function instanceWakeAtMs(instance: Instance): number | null {
  const command = commandInHand(instance);
  const instants = [
    supervisionWakeAtMs(instance),
    healthWakeAtMs(instance),
    stageWakeAtMs(instance),
    drainWakeAtMs(instance),
    command === null ? null : verifyWakeAtMs(instance, command),
    command === null ? null : deadlineAtMs(command),
  ];
  return earliest(instants);
}

export function earliest(instants: readonly (number | null)[]): number | null {
  const known = instants.filter((atMs) => atMs !== null);
  return known.length === 0 ? null : Math.min(...known);
}

/** No command is in hand for longer than it was given. What it began goes on to a safe end. */
function endOverdue(instance: Instance, { nowMs }: Moment): Move {
  const command = commandInHand(instance);
  if (command === null || nowMs < deadlineAtMs(command)) return still(instance);
  const { kind } = command.body;
  const message = `${kind} was not done within ${formatMs(command.deadlineMs)}${lastKnown(instance)}`;
  return still(fail(instance, stepFailure("deadline", message)));
}

function lastKnown({ process, staging, hooking }: Instance): string {
  if (hooking.kind === "running") return `; hook ${hooking.hook} has not ended yet`;
  if (staging.kind === "retry") return `; the last try: ${staging.message}`;
  if (process.kind === "stopping") return "; the old process has not stopped yet";
  if (process.kind === "starting") return "; the process has not started yet";
  return "";
}

function deadlineAtMs(command: AcceptedCommand): number {
  return command.acceptedAtMs + command.deadlineMs;
}
