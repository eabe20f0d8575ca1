import type { HealthSpec } from "@siding/shared/health";
import type { Address } from "@siding/shared/ids";
import type { Target } from "@siding/shared/target";
import { formatMs } from "@siding/shared/units";
import { describeAnswer, outputOf } from "./answer.ts";
import { askAnew } from "./health.ts";
import { awaitHook } from "./hook.ts";
import type { AcceptedCommand } from "./journal.ts";
import { commandInHand, type Moment, type Move, still, withJournal } from "./move.ts";
import { fail, succeed, took } from "./outcome.ts";
import { absenceTrouble } from "./process.ts";
import { nowServing } from "./retention.ts";
import type { Instance } from "./state.ts";
import { stepFailure } from "./step-failure.ts";
import { willStart } from "./supervision.ts";

/** Verify was accepted: good answers of before do not count. */
export function beginVerify(instance: Instance, target: Target, nowMs: number): Instance {
  const known = adoptTarget(instance, target);
  return isWanted(known, target) ? askAnew(known, nowMs) : fail(known, wrongTarget(known, target));
}

export function carryOnVerify(instance: Instance, moment: Moment): Move {
  const { nowMs, agent } = moment;
  const command = commandInHand(instance);
  if (command?.body.kind !== "verify") return still(instance);
  const { process, probing } = instance;
  const { target } = command.body;
  const { graceMs } = target.spec.health;
  if (process.kind === "absent" && !willStart(instance)) return still(fail(instance, nothingRuns(instance)));
  const { healthySinceMs } = probing;
  if (process.kind === "running" && healthySinceMs !== null) {
    if (nowMs - healthySinceMs < command.body.holdMs) return still(instance);
    const { verifyMs = nowMs - command.acceptedAtMs } = command.timings;
    const verified = took(instance, { verifyMs });
    return awaitHook(verified, "beforeRejoin", moment) ?? still(succeed(verified));
  }
  return still(
    nowMs - probing.sinceMs >= graceMs
      ? fail(instance, graceOver(instance, target, agent.address))
      : instance,
  );
}

export function verifyWakeAtMs(instance: Instance, command: AcceptedCommand): number | null {
  if (command.body.kind !== "verify") return null;
  const { healthySinceMs, sinceMs } = instance.probing;
  const holding = instance.process.kind === "running" && healthySinceMs !== null;
  if (holding && instance.hooking.kind === "running") return null;
  return holding ? healthySinceMs + command.body.holdMs : sinceMs + command.body.target.spec.health.graceMs;
}

/** Rejoin was accepted: the instance serves. */
export function beginRejoin(instance: Instance, target: Target): Instance {
  const known = adoptTarget(instance, target);
  const { wanted } = known.journal;
  if (wanted === null || !isWanted(known, target)) return fail(known, wrongTarget(known, target));
  const served = nowServing(target.release, known.journal.served);
  return succeed(withJournal(known, { wanted: { ...wanted, proven: true }, served }));
}

/**
 * A process that was found without a journal says by its marker which target it is, and the command brings the
 * target itself: from here on it is wanted.
 */
function adoptTarget(instance: Instance, target: Target): Instance {
  const { process, journal } = instance;
  if (journal.wanted !== null || process.kind !== "running" || process.targetId !== target.id)
    return instance;
  const { startId } = process;
  return withJournal(instance, {
    wanted: { target, proven: false, startId },
    started: { startId, target, process: process.process },
  });
}

function isWanted(instance: Instance, target: Target): boolean {
  return instance.journal.wanted?.target.id === target.id;
}

function wrongTarget(instance: Instance, target: Target) {
  const { wanted } = instance.journal;
  const have = wanted === null ? "no target" : wanted.target.id;
  return stepFailure("wrong-target", `asked about ${target.id}; this instance is on ${have}`);
}

function nothingRuns(instance: Instance) {
  return absenceTrouble(instance) ?? stepFailure("process-exited", "no process of this instance runs");
}

function graceOver(instance: Instance, { spec }: Target, address: Address) {
  const trouble = absenceTrouble(instance);
  const { health, ports } = spec;
  const { lastAnswer } = instance.probing;
  const asked = askedWords(health, `${address}:${ports[instance.journal.slot]}`);
  const why = trouble?.message ?? `the last ${asked}: ${describeAnswer(lastAnswer)}`;
  const message = `not healthy within ${formatMs(health.graceMs)}; ${why}`;
  return stepFailure("health-grace", message, trouble?.output ?? outputOf(lastAnswer));
}

function askedWords(health: HealthSpec, place: string): string {
  if ("http" in health) return `answer of http://${place}${health.http}`;
  return "tcp" in health ? `connection to ${place}` : `run of '${health.command.join(" ")}'`;
}
