import { LedgerClock, type TimeSource } from "@siding/control-plane/ledger/clock";
import type { EventBody, LedgerEvent } from "@siding/control-plane/ledger/event";
import { fold } from "@siding/control-plane/ledger/fold";
import { emptyState, type LedgerState } from "@siding/control-plane/ledger/state";

/**
 * The ledger without a disk: what is appended survives the control plane, all events of a commit or none. The state is the
 * real fold of the events, made anew at each opening.
 */
export class MemoryLedger {
  readonly #events: LedgerEvent[] = [];

  get events(): readonly LedgerEvent[] {
    return this.#events;
  }

  open(time: TimeSource): OpenLedger {
    const state = emptyState();
    for (const event of this.#events) fold(state, event);
    return new OpenLedger(state, this.#events, time);
  }
}

/** The ledger as one life of the control plane has it. */
export class OpenLedger {
  readonly clock: LedgerClock;
  readonly state: LedgerState;
  readonly #log: LedgerEvent[];

  constructor(state: LedgerState, log: LedgerEvent[], time: TimeSource) {
    this.state = state;
    this.#log = log;
    this.clock = new LedgerClock(time, state.elapsedMs);
  }

  append(bodies: readonly EventBody[], by: string): readonly LedgerEvent[] {
    const at = this.clock.at();
    const elapsedMs = this.clock.nowMs();
    const first = this.state.sequence + 1;
    const events = bodies.map((body, index) => ({ sequence: first + index, at, elapsedMs, by, body }));
    this.#log.push(...events);
    for (const event of events) fold(this.state, event);
    return events;
  }
}
