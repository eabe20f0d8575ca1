import type { HealthSpec } from "@siding/shared/health";
import type { Address } from "@siding/shared/ids";
import { portOf, type Target } from "@siding/shared/target";
import { describeAnswer, outputOf } from "./answer.ts";
import { type Effect, type OpId, questionOf } from "./effect.ts";
import type { ProbeAnswer } from "./event.ts";
import type { ProcessRef } from "./journal.ts";
import { commandInHand, type Moment, type Move, nextOp, refOf, still } from "./move.ts";
import { countAnswer, freshProbing, isAsked, isDue } from "./probing.ts";
import type { Instance, Probing } from "./state.ts";
import { stepFailure } from "./step-failure.ts";

/** A serving process is called bad after this many bad answers in a row: one slow answer is no news. */
const fallAnswers = 3;

/**
 * Who serves and has answered well so often in a row is asked at a calmer pace, until the first bad answer. Decision
 * 0054: edges ask every second, and from where it matters.
 */
const calmAfterAnswers = 20;
const calmIntervalMs = 5_000;

/** The agent's own check of the wanted process: it goes on for as long as that runs and does not drain. */
export function checkHealth(instance: Instance, { nowMs, agent }: Moment): Move {
  const checked = checkedNow(instance);
  if (checked === null || !isDue(instance.probing.next, nowMs)) return still(instance);
  const { op, instance: counted } = nextOp(instance);
  return {
    instance: { ...counted, probing: { ...counted.probing, next: { kind: "asked", op } } },
    effects: [question(instance, checked, op, agent.address)],
  };
}

function question(
  instance: Instance,
  { port, target, process }: Checked,
  op: OpId,
  address: Address,
): Effect {
  const { health } = target.spec;
  const ref = refOf(instance);
  if ("command" in health) {
    const { command, timeoutMs } = health;
    return { kind: "run-check", op, ...ref, target, port, process, command, timeoutMs };
  }
  const { timeoutMs } = health;
  const owner = { kind: "instance", ...ref } as const;
  return { kind: "probe", op, owner, address, port, question: questionOf(health), timeoutMs };
}

/** Counts an answer of the process that is checked now; one to an older question is dropped. */
export function healthAnswered(instance: Instance, op: string, answer: ProbeAnswer, nowMs: number): Instance {
  const spec: HealthSpec | undefined = checkedNow(instance)?.target.spec.health;
  if (spec === undefined || !isAsked(instance.probing, op)) return instance;
  const probing = calmed(instance, countAnswer(instance.probing, answer, spec, nowMs), spec, nowMs);
  const starting = !probing.everGood && nowMs - probing.sinceMs < spec.graceMs;
  const fallen = probing.badRun >= fallAnswers && !starting;
  const health = probing.goodRun >= spec.rise ? "good" : fallen ? "bad" : instance.health;
  return { ...instance, probing, health };
}

/** What a command sees is seen by nobody else, so its pace stays. */
function calmed(instance: Instance, probing: Probing, spec: HealthSpec, nowMs: number): Probing {
  const isCalm = probing.goodRun >= calmAfterAnswers && isSettled(instance) && !("command" in spec);
  if (!isCalm) return probing;
  return { ...probing, next: { kind: "due", atMs: nowMs + Math.max(calmIntervalMs, spec.intervalMs) } };
}

/** It was let back into traffic, and nothing is being done with it. */
function isSettled(instance: Instance): boolean {
  return instance.journal.wanted?.proven === true && commandInHand(instance) === null;
}

/** Forgets every answer: of another process, or of before a drain or a verify. */
export function askAnew(instance: Instance, nowMs: number): Instance {
  return { ...instance, probing: freshProbing(nowMs), health: "unknown" };
}

/** Says the same for as long as it is so: a count would be news, a report and an event of the ledger at every probe. */
export function healthTrouble(instance: Instance) {
  if (instance.health !== "bad") return null;
  const { lastAnswer } = instance.probing;
  const message = `the last health checks failed; the last: ${describeAnswer(lastAnswer)}`;
  return stepFailure("health-bad", message, outputOf(lastAnswer));
}

export function healthWakeAtMs(instance: Instance): number | null {
  const { next } = instance.probing;
  return next.kind === "due" && checkedNow(instance) !== null ? next.atMs : null;
}

interface Checked {
  readonly port: number;
  readonly target: Target;
  readonly process: ProcessRef;
}

/** Null while nothing is to be asked: no process, one that is on its way out, or one that drains. */
function checkedNow({ process, journal }: Instance): Checked | null {
  const { wanted, command, slot } = journal;
  if (process.kind !== "running" || wanted?.startId !== process.startId) return null;
  const port = portOf(wanted.target.spec.ports, slot);
  if (port === null || command?.body.kind === "drain") return null;
  return { port, target: wanted.target, process: process.process };
}
