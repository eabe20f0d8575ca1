import type { RolloutId } from "@siding/shared/ids";
import { isFinished } from "@siding/shared/phases";
import { err, ok, type Result } from "@siding/shared/result";
import type { EventBody } from "../ledger/event.ts";
import type { LedgerState } from "../ledger/state.ts";
import type { Intent, RolloutRecord } from "../rollout/record.ts";
import type { Refusal } from "./refusal.ts";

export const controlVerbs = ["pause", "resume", "promote", "abort", "rollback"] as const;
export type ControlVerb = (typeof controlVerbs)[number];

/**
 * What a person says to a rollout. The answer changes what is wanted; the loop does the rest. Said twice is said once.
 * Rolling back a finished one is a rollout of its own: admitRollback.
 */
export function controlRollout(
  state: LedgerState,
  id: RolloutId,
  verb: ControlVerb,
  context: { readonly by: string; readonly comment?: string | undefined },
): Result<readonly EventBody[], Refusal> {
  const rollout = state.rollouts.get(id);
  if (!rollout) return err({ code: "unknown-rollout", message: `there is no rollout ${id}` });
  if (isFinished(rollout.status)) return finished(rollout, verb);
  const why = context.comment ? `: ${context.comment}` : "";
  const cause = (code: string, done: string) => ({ code, message: `${done} by ${context.by}${why}` });
  if (rollout.status === "queued") return controlQueued(rollout, verb, cause("aborted-by-person", "aborted"));
  switch (verb) {
    case "pause":
      return rollout.intent === "forward"
        ? intent(rollout, "pause", cause("paused-by-person", "paused"))
        : same(rollout, verb);
    case "resume":
      return rollout.intent === "pause" ? intent(rollout, "forward", null) : same(rollout, verb);
    case "promote":
      return promote(rollout);
    case "abort":
      return intent(rollout, "abort", cause("aborted-by-person", "aborted"));
    case "rollback":
      // A restart leads nowhere else: all that can be given back is the batch in hand.
      return rollout.purpose === "restart"
        ? intent(rollout, "abort", cause("aborted-by-person", "aborted"))
        : intent(rollout, "rollback", cause("rolled-back-by-person", "rolled back"));
  }
}

function intent(
  rollout: RolloutRecord,
  wanted: Intent,
  cause: RolloutRecord["cause"],
): Result<readonly EventBody[], Refusal> {
  if (rollout.intent === wanted) return ok([]);
  return ok([{ type: "intent-set", rolloutId: rollout.id, intent: wanted, cause }]);
}

/** Pausing what is paused is done already; pausing a way back would leave hosts out of traffic. */
function same(rollout: RolloutRecord, verb: ControlVerb): Result<readonly EventBody[], Refusal> {
  if (verb === "pause" && rollout.intent === "pause") return ok([]);
  if (verb === "resume" && rollout.intent === "forward") return ok([]);
  const message = `rollout ${rollout.id} is on its way back (${rollout.intent}): it is brought to its end, ${verb} changes nothing`;
  return err({ code: "rollout-finished", message });
}

/** It has not begun: it can only be taken out of the queue. */
function controlQueued(
  rollout: RolloutRecord,
  verb: ControlVerb,
  cause: NonNullable<RolloutRecord["cause"]>,
): Result<readonly EventBody[], Refusal> {
  if (verb === "abort" || verb === "rollback") {
    return ok([{ type: "rollout-finished", rolloutId: rollout.id, status: "aborted", cause }]);
  }
  return err({
    code: "no-gate",
    message: `rollout ${rollout.id} is queued and has not begun; it can be aborted`,
  });
}

function promote(rollout: RolloutRecord): Result<readonly EventBody[], Refusal> {
  const baking = rollout.waiting.some(({ code }) => code === "bake");
  if (!baking)
    return err({ code: "no-gate", message: `no gate of rollout ${rollout.id} waits for a person` });
  return ok([{ type: "rollout-promoted", rolloutId: rollout.id }]);
}

function finished(rollout: RolloutRecord, verb: ControlVerb): Result<readonly EventBody[], Refusal> {
  const message = `rollout ${rollout.id} has ${rollout.status}; ${verb} comes too late`;
  return err({ code: "rollout-finished", message });
}
