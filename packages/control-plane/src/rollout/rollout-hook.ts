import type { InstanceCommandBody } from "@siding/shared/command";
import { type HookSpec, hookBudgetMs } from "@siding/shared/hooks";
import type { HostId, RolloutId } from "@siding/shared/ids";
import type { WaitingReason } from "@siding/shared/phases";
import type { StepFailure } from "@siding/shared/report";
import { formatMs } from "@siding/shared/units";
import type { Action } from "./action.ts";
import { missedMs } from "./due.ts";
import { reportMarginMs } from "./limits.ts";
import type { RolloutRecord } from "./record.ts";
import { type CommandView, type HostView, hostIn } from "./snapshot.ts";
import { type Survey, stillPlanned } from "./survey.ts";

const hookName = "beforeRollout";

/** The hook that runs once, on one host, when everything is staged and before any traffic changes. */
function specOf({ to }: RolloutRecord): (HookSpec & { readonly host?: HostId | undefined }) | undefined {
  return to.spec.hooks.beforeRollout;
}

/** Nothing may leave traffic before it has ended well, or a person has said that it counts as done. */
export function holdsBatches({ beforeRollout: hook }: RolloutRecord): boolean {
  if (hook === null || hook.kind === "done") return false;
  return hook.kind !== "unknown" || !hook.accepted;
}

export function isHookRunning({ beforeRollout: hook }: RolloutRecord): boolean {
  return hook?.kind === "running";
}

/** Its start is on record before its command is, and both before anything is sent. Empty while it is not due. */
export function hookStart(survey: Survey): readonly Action[] {
  const { rollout, snapshot } = survey;
  const spec = specOf(rollout);
  if (rollout.beforeRollout?.kind !== "due" || spec === undefined) return [];
  const hostId = spec.host ?? stillPlanned(survey)[0]?.planned.hostId;
  if (hostId === undefined) return [];
  const { id: rolloutId } = rollout;
  const host = hostIn(snapshot, hostId);
  // Its program is in the release.
  if (!host?.instance.staged.includes(rollout.to.id)) {
    const message = `hook ${hookName} can't run on ${hostId}: the release is not staged there`;
    return [ended(rolloutId, hostId, "failed", { code: "hook-not-started", message })];
  }
  const shot = `${rolloutId}/${hookName}`;
  const body: InstanceCommandBody = { kind: "hook", target: rollout.to, hook: hookName, shot };
  return [
    { type: "rollout-hook-started", rolloutId, hostId },
    {
      type: "command-issued",
      rolloutId,
      hostId,
      service: snapshot.service,
      slot: host.instance.slot,
      body,
      deadlineMs: hookBudgetMs(spec),
    },
  ];
}

/** What became of it, once that is known; also after somebody had to say that it was not. */
export function hookEnd(survey: Survey): readonly Action[] {
  const { rollout } = survey;
  const hook = rollout.beforeRollout;
  if (hook?.kind !== "running" && hook?.kind !== "unknown") return [];
  const { id, beforeRollout } = rollout;
  const known = outcomeOf(survey);
  if (known === null || beforeRollout === null) return [];
  const isNews =
    hook.kind === "running" || (!hook.accepted && (known.outcome === "done" || known.outcome === "failed"));
  return isNews ? [ended(id, hook.hostId, known.outcome, known.failure)] : [];
}

type HookOutcome = Extract<Action, { type: "rollout-hook-ended" }>["outcome"];

interface Known {
  readonly outcome: HookOutcome;
  readonly failure: StepFailure | null;
}

function outcomeOf(survey: Survey): Known | null {
  const { rollout, snapshot, nowMs } = survey;
  const command = commandOf(survey);
  switch (command?.status) {
    case "done":
      return { outcome: "done", failure: null };
    case "failed":
      return command.failure?.code === "hook-unknown"
        ? neverKnown(rollout, command.failure)
        : { outcome: "failed", failure: command.failure };
    case "void":
      return forgotten(survey);
    case "issued":
    case "running":
    case undefined: {
      const dueMs = hookDueMs(survey);
      if (snapshot.blind || dueMs === null || nowMs < dueMs) return null;
      const message = `no report of its end came from the host within ${formatMs(hookBudgetMs(specOf(rollout)))}`;
      return neverKnown(rollout, { code: "host-silent", message });
    }
  }
}

/**
 * The agent has started anew and never heard of the command. One that has kept its journal would know, so it never began
 * there; one that knows nothing of the staged release either has lost it.
 */
function forgotten(survey: Survey): Known {
  const { rollout } = survey;
  if (hostOf(survey)?.instance.staged.includes(rollout.to.id)) return { outcome: "again", failure: null };
  const message = "the host's agent has lost its journal, and knows of nothing that it has done";
  return neverKnown(rollout, { code: "hook-unknown", message });
}

function neverKnown(rollout: RolloutRecord, failure: StepFailure): Known {
  const harmless = specOf(rollout)?.idempotent ?? false;
  return harmless ? { outcome: "again", failure: null } : { outcome: "unknown", failure };
}

function ended(
  rolloutId: RolloutId,
  hostId: HostId,
  outcome: HookOutcome,
  failure: StepFailure | null,
): Action {
  return { type: "rollout-hook-ended", rolloutId, hostId, outcome, failure };
}

function hostOf({ rollout, snapshot }: Survey): HostView | undefined {
  const hook = rollout.beforeRollout;
  return hook && "hostId" in hook ? hostIn(snapshot, hook.hostId) : undefined;
}

/** The command that runs it: the newest of its kind since its start was put on record. */
function commandOf(survey: Survey): CommandView | null {
  const { rollout } = survey;
  const hook = rollout.beforeRollout;
  const command = hostOf(survey)?.instance.command;
  if (hook?.kind !== "running" && hook?.kind !== "unknown") return null;
  const isIts = command?.kind === "hook" && command.rolloutId === rollout.id;
  return isIts && command.revision > hook.sinceRevision ? command : null;
}

/** When its outcome counts as unknown; null while it does not run. */
export function hookDueMs(survey: Survey): number | null {
  const { rollout, snapshot } = survey;
  const hook = rollout.beforeRollout;
  if (hook?.kind !== "running") return null;
  const sinceMs = Math.max(hook.sinceMs, rollout.resumedAtMs, snapshot.hearingSinceMs);
  return missedMs(sinceMs + hookBudgetMs(specOf(rollout)) + reportMarginMs, hostOf(survey));
}

export function hookReasons(survey: Survey): readonly WaitingReason[] {
  const hook = survey.rollout.beforeRollout;
  if (hook?.kind !== "running") return [];
  const { hostId } = hook;
  const heard = commandOf(survey)?.hook ?? null;
  if (heard === null) {
    return [
      { code: "hook", message: `${hostId} is told to run hook ${hookName}, before anything changes`, hostId },
    ];
  }
  const { sinceMs, timeoutMs } = heard;
  const message = `hook ${hookName} is running on ${hostId}, before anything changes (timeout ${formatMs(timeoutMs)})`;
  return [{ code: "hook", message, hostId, sinceMs, untilMs: sinceMs + timeoutMs }];
}
