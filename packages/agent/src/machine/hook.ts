import type { InstanceCommandBody } from "@siding/shared/command";
import type { HookName } from "@siding/shared/hooks";
import type { StepFailure } from "@siding/shared/report";
import type { Result } from "@siding/shared/result";
import type { HookCall, OpId } from "./effect.ts";
import type { AcceptedCommand, HookRun, Outcome } from "./journal.ts";
import {
  commandInHand,
  type Moment,
  type Move,
  nextOp,
  refOf,
  still,
  withCommand,
  withJournal,
} from "./move.ts";
import { fail, succeed, took } from "./outcome.ts";
import type { Instance } from "./state.ts";
import { stepFailure } from "./step-failure.ts";

/** So many one-shots of an instance are remembered: each rollout has one at most. */
const rememberedShots = 16;

/**
 * What is to be done before the command in hand goes on: null where its target has no such hook, or that has ended well.
 * One that was begun by an agent that has died is not begun again, unless it says that this does no harm.
 */
export function awaitHook(instance: Instance, hook: HookName, moment: Moment): Move | null {
  const command = commandInHand(instance);
  const spec = command?.body.target.spec.hooks[hook];
  if (command === null || spec === undefined) return awaitNone(instance);
  const before = command.hooks.find((each) => each.hook === hook);
  if (before?.done) return null;
  if (instance.hooking.kind === "running") return still(instance);
  if (before !== undefined && !spec.idempotent) return still(neverKnown(instance, command, hook));
  return call(instance, command, {
    hook,
    attempt: (before?.attempt ?? 0) + 1,
    begunAtMs: moment.nowMs,
    done: false,
  });
}

/** What is to be done where there is no hook: one that nobody wants any more has to end first. */
export function awaitNone(instance: Instance): Move | null {
  return instance.hooking.kind === "running" ? still(instance) : null;
}

function call(instance: Instance, command: AcceptedCommand, run: HookRun): Move {
  const { commandId, body } = command;
  const { hook, attempt } = run;
  const shot = body.kind === "hook" ? body.shot : null;
  const { op, instance: counted } = nextOp(instance);
  const noted = shot === null ? counted : withShot(counted, shot, { kind: "running" });
  const hooks = [...command.hooks.filter((each) => each.hook !== hook), run];
  const runId = shot ?? `${commandId}/${hook}`;
  const called: HookCall = { hook, target: body.target, step: body.kind, runId, attempt };
  return {
    instance: {
      ...withCommand(noted, { hooks }),
      hooking: { kind: "running", op, hook, commandId, shot, cancelled: false },
    },
    effects: [{ kind: "run-hook", op, ...called, ...refOf(instance) }],
  };
}

/** A hook has ended, with all that it had started. A failed one fails its command. */
export function hookEnded(
  instance: Instance,
  op: OpId,
  result: Result<null, StepFailure>,
  nowMs: number,
): Instance {
  const { hooking } = instance;
  if (hooking.kind !== "running" || hooking.op !== op) return instance;
  const { hook, shot, commandId } = hooking;
  const outcome: Outcome = result.ok ? { kind: "done" } : { kind: "failed", failure: result.error };
  const idle: Instance = { ...instance, hooking: { kind: "idle" } };
  const noted = shot === null ? idle : withShot(idle, shot, outcome);
  const command = commandInHand(noted);
  const run = command?.hooks.find((each) => each.hook === hook);
  if (command?.commandId !== commandId || run === undefined) return noted;
  const timings = { [`${hook}Ms`]: nowMs - run.begunAtMs };
  if (!result.ok) return fail(noted, result.error, timings);
  const hooks = command.hooks.map((each) => (each === run ? { ...run, done: true } : each));
  return took(withCommand(noted, { hooks }), timings);
}

/** What no command waits for is ended: its command was replaced, or has run out of time. */
export function endUnwantedHook(instance: Instance): Move {
  const { hooking } = instance;
  const isWanted = hooking.kind === "running" && commandInHand(instance)?.commandId === hooking.commandId;
  if (hooking.kind === "idle" || hooking.cancelled || isWanted) return still(instance);
  return {
    instance: { ...instance, hooking: { ...hooking, cancelled: true } },
    effects: [{ kind: "cancel-hook", op: hooking.op }],
  };
}

type ShotBody = Extract<InstanceCommandBody, { kind: "hook" }>;

/** A one-shot was accepted. What came of it before, by whatever command, is what comes of it now. */
export function beginShot(instance: Instance, { shot, hook }: ShotBody, nowMs: number): Instance {
  const known = instance.journal.shots.find((each) => each.shot === shot)?.outcome;
  switch (known?.kind) {
    case undefined:
      return instance;
    case "done":
      return succeed(instance);
    case "failed":
      return fail(instance, known.failure);
    case "running":
      return takeOver(instance, shot, { hook, attempt: 1, begunAtMs: nowMs, done: false });
  }
}

/** One that still runs goes on for the new command. */
function takeOver(instance: Instance, shot: string, run: HookRun): Instance {
  const { hooking, journal } = instance;
  const noted = withCommand(instance, { hooks: [run] });
  if (hooking.kind === "idle" || hooking.shot !== shot || hooking.cancelled || journal.command === null)
    return noted;
  return { ...noted, hooking: { ...hooking, commandId: journal.command.commandId } };
}

export function carryOnShot(instance: Instance, moment: Moment): Move {
  const command = commandInHand(instance);
  if (command?.body.kind !== "hook") return still(instance);
  const { hook, target } = command.body;
  if (target.spec.hooks[hook] !== undefined)
    return awaitHook(instance, hook, moment) ?? still(succeed(instance));
  return still(fail(instance, stepFailure("hook-missing", `${target.id} has no hook ${hook}`)));
}

function neverKnown(instance: Instance, { body }: AcceptedCommand, hook: HookName): Instance {
  const message =
    `hook ${hook} was begun, and the agent ended before it did, so nobody knows what it has done. It is not run again; ` +
    "see on the host whether it was done (a hook that may run twice says idempotent: true)";
  const failure = stepFailure("hook-unknown", message);
  const noted = body.kind === "hook" ? withShot(instance, body.shot, { kind: "failed", failure }) : instance;
  return fail(noted, failure);
}

function withShot(instance: Instance, shot: string, outcome: Outcome): Instance {
  const others = instance.journal.shots.filter((each) => each.shot !== shot);
  return withJournal(instance, { shots: [...others, { shot, outcome }].slice(-rememberedShots) });
}
