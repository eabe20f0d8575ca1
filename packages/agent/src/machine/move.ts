import type { Effect, InstanceRef, OpId } from "./effect.ts";
import type { AcceptedCommand, InstanceJournal } from "./journal.ts";
import type { AgentIdentity, Instance } from "./state.ts";

/** An instance within a step: its next value, and what it wants done. */
export interface Move {
  readonly instance: Instance;
  readonly effects: readonly Effect[];
}

/** What every move may look at besides its instance. */
export interface Moment {
  readonly nowMs: number;
  readonly agent: AgentIdentity;
}

export function still(instance: Instance): Move {
  return { instance, effects: [] };
}

/** Applies moves one after the other and collects their effects in order. */
export function inTurn(
  instance: Instance,
  moment: Moment,
  moves: readonly ((instance: Instance, moment: Moment) => Move)[],
): Move {
  return moves.reduce<Move>((before, move) => {
    const after = move(before.instance, moment);
    return { instance: after.instance, effects: [...before.effects, ...after.effects] };
  }, still(instance));
}

/** A name for one effect of this instance, and the instance that has given it. */
export function nextOp(instance: Instance): { readonly op: OpId; readonly instance: Instance } {
  const ops = instance.ops + 1;
  return { op: `${instanceRefKey(instance.journal)}#${ops}`, instance: { ...instance, ops } };
}

export function refOf(instance: Instance): InstanceRef {
  return { service: instance.journal.service, slot: instance.journal.slot };
}

export function instanceRefKey({ service, slot }: InstanceRef): string {
  return `${service}/${slot}`;
}

export function withJournal(instance: Instance, change: Partial<InstanceJournal>): Instance {
  return { ...instance, journal: { ...instance.journal, ...change } };
}

/** Changes the newest command; without one nothing changes. */
export function withCommand(instance: Instance, change: Partial<AcceptedCommand>): Instance {
  const { command } = instance.journal;
  return command === null ? instance : withJournal(instance, { command: { ...command, ...change } });
}

/** The command that is being carried out; null where none is. */
export function commandInHand(instance: Instance): AcceptedCommand | null {
  const { command } = instance.journal;
  return command?.outcome.kind === "running" ? command : null;
}

/** Update, revert and restart differ in where they lead, not in what is done. */
export function updateInHand(instance: Instance): boolean {
  const kind = commandInHand(instance)?.body.kind;
  return kind === "update" || kind === "revert" || kind === "restart";
}
