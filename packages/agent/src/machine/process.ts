import type { StepFailure } from "@siding/shared/report";
import type { Result } from "@siding/shared/result";
import { portOf, type Target } from "@siding/shared/target";
import type { OpId } from "./effect.ts";
import type { ProcessExit } from "./event.ts";
import { askAnew } from "./health.ts";
import type { ProcessRef, Wanted } from "./journal.ts";
import {
  commandInHand,
  type Moment,
  type Move,
  nextOp,
  refOf,
  still,
  updateInHand,
  withJournal,
} from "./move.ts";
import { fail, took } from "./outcome.ts";
import type { Instance, Running } from "./state.ts";
import { exitFailure } from "./step-failure.ts";
import { afterExit, afterStart, mayStart } from "./supervision.ts";

/**
 * Keeps the wanted target's process running: stops an older one, starts what is missing. Level-triggered, so it does
 * not matter where the agent died. Only update and revert make a running process an older one.
 */
export function keepWanted(instance: Instance, moment: Moment): Move {
  const { process, journal } = instance;
  if (journal.wanted === null) return still(instance);
  switch (process.kind) {
    case "starting":
    case "stopping":
      return still(instance);
    case "running":
      return process.startId === journal.wanted.startId ? still(instance) : stop(instance, moment);
    case "absent":
      return mayStart(instance, moment.nowMs) ? start(instance, journal.wanted, moment) : still(instance);
  }
}

function stop(instance: Instance, { nowMs }: Moment): Move {
  const { process } = instance;
  if (process.kind !== "running") return still(instance);
  const { op, instance: counted } = nextOp(instance);
  const graceMs = runningTarget(instance)?.spec.run.stopGraceMs ?? 0;
  return {
    instance: { ...counted, process: { ...process, kind: "stopping", op, sinceMs: nowMs } },
    effects: [{ kind: "stop-process", op, process: process.process, graceMs, ...refOf(instance) }],
  };
}

function start(instance: Instance, wanted: Wanted, { nowMs }: Moment): Move {
  const { target } = wanted;
  const port = portOf(target.spec.ports, instance.journal.slot);
  if (port === null) return still(instance);
  const startId = instance.journal.starts + 1;
  const { op, instance: counted } = nextOp(instance);
  const noted = withJournal(counted, {
    starts: startId,
    started: { startId, target, process: null },
    wanted: { ...wanted, startId },
  });
  return {
    instance: {
      ...noted,
      process: { kind: "starting", op, startId, targetId: target.id, sinceMs: nowMs },
      supervision: afterStart(noted.supervision),
    },
    effects: [{ kind: "start-process", op, startId, target, port, ...refOf(instance) }],
  };
}

/** What runs now; where only its process was found and no journal, the wanted one has to do. */
export function runningTarget(instance: Instance): Target | null {
  const { process, journal } = instance;
  const known = process.kind !== "absent" && journal.started?.startId === process.startId;
  return (known ? journal.started?.target : null) ?? journal.wanted?.target ?? null;
}

export function processStopped(
  instance: Instance,
  op: OpId,
  result: Result<null, StepFailure>,
  { nowMs }: Moment,
): Instance {
  const { process } = instance;
  if (process.kind !== "stopping" || process.op !== op) return instance;
  if (!result.ok) return failUpdate(backToRunning(instance, process), result.error);
  const absent: Instance = { ...instance, process: { kind: "absent", exit: null }, health: "unknown" };
  return updateInHand(absent) ? took(absent, { stopMs: nowMs - process.sinceMs }) : absent;
}

/** A process that can't be stopped stays what it is: to go on wanting another would be to try for ever. */
function backToRunning(
  instance: Instance,
  { startId, targetId, process, sinceMs }: Running & SinceMs,
): Instance {
  const { started } = instance.journal;
  const known = started?.startId === startId ? started.target : null;
  const wanted = known && { target: known, proven: false, startId };
  return {
    ...withJournal(instance, { wanted }),
    process: { kind: "running", startId, targetId, process, sinceMs },
  };
}

interface SinceMs {
  readonly sinceMs: number;
}

export function processStarted(
  instance: Instance,
  op: OpId,
  result: Result<ProcessRef, StepFailure>,
  { nowMs }: Moment,
): Instance {
  const { process } = instance;
  if (process.kind !== "starting" || process.op !== op) return instance;
  if (!result.ok) {
    const absent: Instance = { ...instance, process: { kind: "absent", exit: null } };
    return failUpdate(
      { ...absent, supervision: afterExit(absent.supervision, 0, nowMs, result.error) },
      result.error,
    );
  }
  const { startId, targetId, sinceMs } = process;
  const { started } = instance.journal;
  const noted = withJournal(instance, { started: started && { ...started, process: result.value } });
  const running: Instance = {
    ...noted,
    process: { kind: "running", startId, targetId, process: result.value, sinceMs: nowMs },
    supervision: { ...noted.supervision, startFailure: null },
  };
  const asked = askAnew(running, nowMs);
  return updateInHand(asked) ? took(asked, { startMs: nowMs - sinceMs }) : asked;
}

/** A process ended by itself; one that was being stopped is spoken for by `process-stopped`. */
export function processExited(
  instance: Instance,
  startId: number,
  exit: ProcessExit,
  nowMs: number,
): Instance {
  const { process } = instance;
  if (process.kind !== "running" && process.kind !== "starting") return instance;
  if (process.startId !== startId) return instance;
  const livedMs = nowMs - process.sinceMs;
  const absent: Instance = {
    ...instance,
    process: { kind: "absent", exit: { ...exit, startId } },
    health: "unknown",
    supervision: afterExit(instance.supervision, livedMs, nowMs, null),
  };
  const verifying = commandInHand(absent)?.body.kind === "verify";
  return verifying ? fail(absent, exitFailure(exit, portInUse(absent))) : absent;
}

/** Why nothing runs that should; null where all is well or nothing was ever started. */
export function absenceTrouble(instance: Instance): StepFailure | null {
  const { process, supervision } = instance;
  if (process.kind !== "absent") return null;
  if (supervision.startFailure !== null) return supervision.startFailure;
  return process.exit === null ? null : exitFailure(process.exit, portInUse(instance));
}

function portInUse(instance: Instance): number | null {
  const target = instance.journal.started?.target;
  return target ? portOf(target.spec.ports, instance.journal.slot) : null;
}

function failUpdate(instance: Instance, why: StepFailure): Instance {
  return updateInHand(instance) ? fail(instance, why) : instance;
}
