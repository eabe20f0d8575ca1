import type { HealthSpec } from "@siding/shared/health";
import { isGood } from "./answer.ts";
import type { OpId } from "./effect.ts";
import type { ProbeAnswer } from "./event.ts";
import type { Probing } from "./state.ts";

/** A process that is starting is asked this often, so that a fast start costs no more than it takes … */
const startPollMs = 50;
/** … and by a command, each of which is a process, this often. */
const startRunMs = 250;

export function freshProbing(nowMs: number): Probing {
  return {
    sinceMs: nowMs,
    goodRun: 0,
    badRun: 0,
    everGood: false,
    healthySinceMs: null,
    lastAnswer: null,
    next: { kind: "due", atMs: nowMs },
  };
}

/** Counts an answer. A run that is broken after it was complete counts its grace anew from there. */
export function countAnswer(probing: Probing, answer: ProbeAnswer, spec: HealthSpec, nowMs: number): Probing {
  const good = isGood(answer);
  const goodRun = good ? probing.goodRun + 1 : 0;
  const everGood = probing.everGood || good;
  const sinceMs = good || probing.healthySinceMs === null ? probing.sinceMs : nowMs;
  const starting = !everGood && nowMs - sinceMs < spec.graceMs;
  const startEveryMs = "command" in spec ? startRunMs : startPollMs;
  return {
    sinceMs,
    goodRun,
    badRun: good ? 0 : probing.badRun + 1,
    everGood,
    healthySinceMs: goodRun >= spec.rise ? (probing.healthySinceMs ?? nowMs) : null,
    lastAnswer: answer,
    next: {
      kind: "due",
      atMs: nowMs + (starting ? Math.min(startEveryMs, spec.intervalMs) : spec.intervalMs),
    },
  };
}

/** The last good answers count no more: a verify that begins asks for its own. */
export function isAsked(probing: Probing, op: OpId): boolean {
  return probing.next.kind === "asked" && probing.next.op === op;
}

export function isDue(next: Probing["next"], nowMs: number): boolean {
  return next.kind === "due" && next.atMs <= nowMs;
}
