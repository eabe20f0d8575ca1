import { encodeMessage } from "@siding/shared/message";
import { subjects } from "@siding/shared/subjects";
import type { LiveFleet } from "../fleet/live.ts";
import type { LedgerState } from "../ledger/state.ts";
import { emptySentLog, outbox, type SentLog } from "./outbox.ts";

/** Publishes what agents should have heard and have not answered, and remembers what was said when. */
export class Dispatcher {
  readonly #publish: (subject: string, bytes: Uint8Array) => void;
  #sent: SentLog = emptySentLog();

  constructor(publish: (subject: string, bytes: Uint8Array) => void) {
    this.#publish = publish;
  }

  /** To be called after the commit, never before. Gives the instant at which something is to be said again. */
  dispatch(state: LedgerState, live: LiveFleet, nowMs: number): number | null {
    const { epoch, controlPlaneId } = state;
    // Without a connection nothing was said, so nothing is noted as said either.
    if (live.connectedSinceMs === null || controlPlaneId === null) return null;
    const outgoing = outbox(state, live, { epoch, controlPlaneId }, this.#sent, nowMs);
    for (const command of outgoing.commands) {
      this.#publish(subjects.command(command.hostId), encodeMessage(command));
    }
    this.#sent = outgoing.sent;
    return outgoing.wakeAtMs;
  }
}
