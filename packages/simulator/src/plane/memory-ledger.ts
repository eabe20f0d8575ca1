import { LedgerClock, type TimeSource } from "@siding/control-plane/ledger/clock";
import { type EventBody, firstSequence, type LedgerEvent } from "@siding/control-plane/ledger/event";
import { emptyState, type LedgerState } from "@siding/control-plane/ledger/state";
import type { Brain } from "./brain.ts";

/**
 * The ledger without a disk: what is appended survives the control plane, all events of a commit or none. The state is the
 * fold of the events, made anew at each opening.
 */
export class MemoryLedger {
  readonly #fold: Brain["fold"];
  #events: LedgerEvent[] = [];
  /** Where each commit ends, in events. */
  #commits: number[] = [];

  constructor(fold: Brain["fold"]) {
    this.#fold = fold;
  }

  get events(): readonly LedgerEvent[] {
    return this.#events;
  }

  open(time: TimeSource): OpenLedger {
    const state = emptyState();
    for (const event of this.#events) this.#fold(state, event);
    const append = (events: readonly LedgerEvent[]) => {
      this.#events.push(...events);
      this.#commits.push(this.#events.length);
    };
    return new OpenLedger(state, { append, fold: this.#fold }, time);
  }

  /** A backup takes its place, made after a share of the commits; gives the events that are no more. */
  restore(share: number): readonly LedgerEvent[] {
    const commits = Math.max(1, Math.floor(this.#commits.length * share));
    const kept = this.#commits[commits - 1] ?? 0;
    const lost = this.#events.slice(kept);
    this.#events = this.#events.slice(0, kept);
    this.#commits = this.#commits.slice(0, commits);
    return lost;
  }
}

interface Log {
  readonly append: (events: readonly LedgerEvent[]) => void;
  readonly fold: Brain["fold"];
}

/** The ledger as one life of the control plane has it. */
export class OpenLedger {
  readonly clock: LedgerClock;
  readonly state: LedgerState;
  readonly #log: Log;

  constructor(state: LedgerState, log: Log, time: TimeSource) {
    this.state = state;
    this.#log = log;
    this.clock = new LedgerClock(time, state.elapsedMs);
  }

  append(bodies: readonly EventBody[], by: string): readonly LedgerEvent[] {
    const at = this.clock.at();
    const elapsedMs = this.clock.nowMs();
    const first = firstSequence(this.state.sequence, bodies);
    const events = bodies.map((body, index) => ({ sequence: first + index, at, elapsedMs, by, body }));
    this.#log.append(events);
    for (const event of events) this.#log.fold(this.state, event);
    return events;
  }
}
