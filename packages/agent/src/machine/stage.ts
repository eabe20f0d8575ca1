import type { Result } from "@siding/shared/result";
import type { Target } from "@siding/shared/target";
import type { OpId } from "./effect.ts";
import type { StageFailure } from "./event.ts";
import type { StagedTarget } from "./journal.ts";
import { commandInHand, type Moment, type Move, nextOp, refOf, still, withJournal } from "./move.ts";
import { fail, succeed } from "./outcome.ts";
import { retained } from "./retention.ts";
import type { Instance, Staging, StagingTries } from "./state.ts";
import { stepFailure } from "./step-failure.ts";

/** A control plane that restarts is back in a second or two; the longest wait keeps a fleet from hammering it. */
const firstBackoffMs = 250;
const longestBackoffMs = 5_000;
/** A transfer that breaks off this often will break off again. */
const fewTries = 3;

/**
 * Asks for the release that a stage command in hand names. A transfer that no command wants any more is given up: it
 * would only take bandwidth from what serves. A newer command for the same release takes it over.
 */
export function carryOnStage(instance: Instance, { nowMs }: Moment): Move {
  const command = commandInHand(instance);
  const target = command?.body.kind === "stage" ? command.body.target : null;
  const { staging } = instance;
  if (staging.kind !== "idle" && staging.digest !== target?.release.digest) return giveUp(instance);
  if (target === null || !mayAsk(staging, nowMs)) return still(instance);
  const { op, instance: counted } = nextOp(instance);
  const { tries, failures } = staging.kind === "retry" ? staging : { tries: 0, failures: 0 };
  const { digest } = target.release;
  return {
    instance: { ...counted, staging: { kind: "asked", op, digest, tries: tries + 1, failures } },
    effects: [{ kind: "stage-release", op, target, ...refOf(instance) }],
  };
}

function giveUp(instance: Instance): Move {
  const { staging } = instance;
  const effects = staging.kind === "asked" ? [{ kind: "cancel-stage", op: staging.op } as const] : [];
  return { instance: { ...instance, staging: { kind: "idle" } }, effects };
}

export function staged(
  instance: Instance,
  op: OpId,
  result: Result<null, StageFailure>,
  nowMs: number,
): Instance {
  const { staging } = instance;
  if (staging.kind !== "asked" || staging.op !== op) return instance;
  const idle: Instance = { ...instance, staging: { kind: "idle" } };
  const command = commandInHand(instance);
  if (command?.body.kind !== "stage") return idle;
  if (result.ok)
    return succeed(addStaged(idle, command.body.target), { stageMs: nowMs - command.acceptedAtMs });
  return failedOnce(idle, staging, result.error, nowMs);
}

/** Another try, or the end. Being asked to wait is no failure, and neither is a transfer that got further. */
function failedOnce(
  idle: Instance,
  { digest, tries, failures: before }: StagingTries,
  { failure, retry, afterMs }: StageFailure,
  nowMs: number,
): Instance {
  const failures = retry === "few" ? before + 1 : before;
  if (retry === "never" || failures >= fewTries)
    return fail(idle, stepFailure(failure.code, failure.message, failure.output));
  const backoffMs = Math.min(longestBackoffMs, firstBackoffMs * 2 ** (tries - 1));
  const atMs = nowMs + (afterMs ?? backoffMs);
  return { ...idle, staging: { kind: "retry", atMs, digest, tries, failures, message: failure.message } };
}

export function stageWakeAtMs({ staging }: Instance): number | null {
  return staging.kind === "retry" ? staging.atMs : null;
}

function mayAsk(staging: Staging, nowMs: number): boolean {
  switch (staging.kind) {
    case "idle":
      return true;
    case "asked":
      return false;
    case "retry":
      return staging.atMs <= nowMs;
  }
}

/** Newest last, each target once. */
function addStaged(instance: Instance, target: Target): Instance {
  const added: StagedTarget = { targetId: target.id, release: target.release };
  const others = instance.journal.staged.filter((each) => each.targetId !== target.id);
  return retained(withJournal(instance, { staged: [...others, added] }));
}
