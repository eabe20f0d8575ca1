import type { StepFailure, Timings } from "@siding/shared/report";
import type { Outcome } from "./journal.ts";
import { withJournal } from "./move.ts";
import type { Instance } from "./state.ts";

/** Ends the command in hand; without one nothing changes. */
export function succeed(instance: Instance, timings: Timings = {}): Instance {
  return end(instance, { kind: "done" }, timings);
}

/** Ends the command in hand; without one nothing changes. */
export function fail(instance: Instance, failure: StepFailure, timings: Timings = {}): Instance {
  return end(instance, { kind: "failed", failure }, timings);
}

/** Notes how long a part of the command in hand took. */
export function took(instance: Instance, timings: Timings): Instance {
  const { command } = instance.journal;
  if (command?.outcome.kind !== "running") return instance;
  return withJournal(instance, { command: { ...command, timings: { ...command.timings, ...timings } } });
}

function end(instance: Instance, outcome: Outcome, timings: Timings): Instance {
  const { command } = instance.journal;
  if (command?.outcome.kind !== "running") return instance;
  return withJournal(instance, {
    command: { ...command, outcome, timings: { ...command.timings, ...timings } },
  });
}
