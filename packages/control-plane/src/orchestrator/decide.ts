import type { RolloutId } from "@siding/shared/ids";
import { isFinished } from "@siding/shared/phases";
import { heardOf } from "../fleet/hearing.ts";
import type { LiveFleet } from "../fleet/live.ts";
import { knownHosts, snapshotOf } from "../fleet/snapshot.ts";
import type { EventBody } from "../ledger/event.ts";
import type { LedgerState } from "../ledger/state.ts";
import type { Action, Decision } from "../rollout/action.ts";
import { advance as advanceCore } from "../rollout/advance.ts";
import { check as checkCore, type Violation } from "../rollout/check.ts";
import type { RolloutRecord } from "../rollout/record.ts";
import type { Snapshot } from "../rollout/snapshot.ts";
import type { Deliberation } from "./deliberation.ts";
import { startQueued } from "./queue.ts";
import { reconcile } from "./reconcile.ts";
import { restate } from "./restate.ts";

/** The pure core that decides: production's, or one with a planted mistake in the simulator's tests. */
export interface Core {
  readonly advance: (rollout: RolloutRecord, snapshot: Snapshot, nowMs: number) => Decision;
  readonly check: (
    rollout: RolloutRecord,
    snapshot: Snapshot,
    actions: readonly Action[],
  ) => readonly Violation[];
}

const productionCore: Core = { advance: advanceCore, check: checkCore };

/**
 * What the loop asks: what a restored ledger must say anew, then the rollouts, and what the fleet lacks only when they
 * have nothing more to do.
 */
export function decideAll(
  state: LedgerState,
  live: LiveFleet,
  nowMs: number,
  core: Core = productionCore,
): Deliberation {
  const restated = [...state.services.values()].flatMap((service) => restate(state, service));
  if (restated.length > 0) return { events: restated, wakeAtMs: null };
  const decided = decide(state, live, nowMs, core);
  if (decided.events.length > 0) return decided;
  const converging = reconcile(state, live, nowMs);
  const instants = [decided.wakeAtMs, converging.wakeAtMs].filter((atMs) => atMs !== null);
  return { events: converging.events, wakeAtMs: instants.length > 0 ? Math.min(...instants) : null };
}

/** One pass over every rollout that is not finished. */
export function decide(
  state: LedgerState,
  live: LiveFleet,
  nowMs: number,
  core: Core = productionCore,
): Deliberation {
  const active = [...state.services.values()].flatMap(({ activeRollout }) => activeRollout ?? []);
  const started = [...state.services.values()].flatMap((service) => startQueued(state, live, service, nowMs));
  const decisions = active.map((id) => decideOne(state, live, id, nowMs, core));
  const instants = [
    ...decisions.map((decision) => decision.wakeAtMs),
    ...soundsOf(state, live, nowMs, active.length > 0),
  ].filter((atMs) => atMs !== null);
  return {
    events: [...started, ...decisions.flatMap((decision) => decision.events)],
    wakeAtMs: instants.length > 0 ? Math.min(...instants) : null,
  };
}

/** When we hear again without anybody saying so; and, which matters only to a rollout, when somebody falls silent. */
function soundsOf(
  state: LedgerState,
  live: LiveFleet,
  nowMs: number,
  isMoving: boolean,
): readonly (number | null)[] {
  const { untilMs, silentAtMs } = heardOf(live, knownHosts(state), nowMs);
  return isMoving ? [untilMs, silentAtMs] : [untilMs];
}

function decideOne(
  state: LedgerState,
  live: LiveFleet,
  id: RolloutId,
  nowMs: number,
  core: Core,
): Deliberation {
  const rollout = state.rollouts.get(id);
  if (rollout && state.behind !== null) return { events: atRest(rollout), wakeAtMs: null };
  const snapshot = rollout && snapshotOf(state, live, rollout.service, nowMs);
  if (!rollout || !snapshot || isFinished(rollout.status) || isFrozen(rollout)) {
    return { events: [], wakeAtMs: null };
  }
  const decision = core.advance(rollout, snapshot, nowMs);
  const violations = core.check(rollout, snapshot, decision.actions);
  if (violations.length === 0) return { events: decision.actions, wakeAtMs: decision.wakeAtMs };
  return { events: refused(rollout, violations), wakeAtMs: decision.wakeAtMs };
}

/** A ledger that is behind its fleet moves nobody: what it believes may long be otherwise. */
function atRest({ id, status, cause }: RolloutRecord): readonly EventBody[] {
  if (status === "paused") return [];
  const waiting = [{ code: "paused" as const, message: cause?.message ?? "paused" }];
  return [{ type: "status-changed", rolloutId: id, status: "paused", waiting }];
}

/** A rule was about to be broken, and nobody has looked yet: to go on deciding would end at the same rule. */
function isFrozen({ intent, cause }: RolloutRecord): boolean {
  return intent === "pause" && cause?.code === "rule-broken";
}

/**
 * A decision that breaks a rule is not committed: the rollout pauses and names the rule. Nothing of the decision
 * happens; what is in hand stays where it is until a person has looked.
 */
function refused(rollout: RolloutRecord, violations: readonly Violation[]): readonly EventBody[] {
  const text = violations.map(({ rule, message }) => `rule ${rule}: ${message}`).join("; ");
  const message = `the checker refused the next decision (${text}). This is a mistake in Siding: nothing of it was done. Please report it, then abort or roll back`;
  const cause = { code: "rule-broken", message };
  const waiting = [{ code: "paused" as const, message }];
  return [
    { type: "intent-set", rolloutId: rollout.id, intent: "pause", cause },
    { type: "status-changed", rolloutId: rollout.id, status: "paused", waiting },
  ];
}
