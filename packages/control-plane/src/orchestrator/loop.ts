import { err, type Failure, failure, ok, type Result } from "@siding/shared/result";
import type { Logger } from "pino";
import type { LiveFleet } from "../fleet/live.ts";
import type { EventBody, LedgerEvent } from "../ledger/event.ts";
import type { LedgerState } from "../ledger/state.ts";
import type { Ledger } from "../ledger/store.ts";
import type { Deliberation } from "./deliberation.ts";

export interface OrchestratorOptions {
  readonly ledger: Ledger;
  readonly live: () => LiveFleet;
  readonly decide: (state: LedgerState, live: LiveFleet, nowMs: number) => Deliberation;
  /** Publishes what is committed and not yet answered; gives the instant at which to say it again. */
  readonly dispatch: (state: LedgerState, live: LiveFleet, nowMs: number) => number | null;
  /** Told how long each round took. */
  readonly onRound?: (durationMs: number) => void;
  readonly log: Logger;
}

/** What was said from outside and is worked on in the next round. */
export interface Heard {
  /** What it says that this state does not know; asked only once everything before it is folded. */
  readonly news: (state: LedgerState) => readonly EventBody[];
  readonly by: string;
  /** It could not be made durable: it counts as not heard. */
  readonly unheard: () => void;
}

/**
 * A round takes as many passes as there are steps that nobody outside has to answer: a handful. More means that two
 * decisions undo each other; then the machine is not kept busy with it.
 */
const maxPassesPerRound = 200;
const unsettledPauseMs = 1_000;

/** Between attempts to write to a ledger that can't be written (disk full). */
const shortestRetryMs = 250;
const longestRetryMs = 5_000;

/** A wake-up further away than this is looked at anew in between: timers count in 32 bits. */
const longestSleepMs = 3_600_000;
/** A timer may fire within the millisecond before; and a wake-up that is due and changes nothing must not spin. */
const shortestSleepMs = 1;

/**
 * The loop: take in what was heard, decide, commit, decide again until nothing more comes; make all of that durable by
 * one write, then publish and sleep until something happens. It never waits within a round, so nothing can come between
 * a decision and its commit, and nothing is published that is not durable.
 */
export class Orchestrator {
  readonly #options: OrchestratorOptions;
  #heard: Heard[] = [];
  #scheduled: NodeJS.Immediate | null = null;
  #timer: NodeJS.Timeout | null = null;
  /** When the next round is to be; null while nothing is to come. On the process's monotonic clock. */
  #dueMs: number | null = null;
  #isStopped = false;
  #storageFailure: Failure | null = null;
  #retryMs = shortestRetryMs;

  constructor(options: OrchestratorOptions) {
    this.#options = options;
  }

  /** Why the ledger can't be written at present; null where it can. */
  get storageFailure(): Failure | null {
    return this.#storageFailure;
  }

  /** For how long the loop has owed a round: no more than an instant, unless it has come to a halt. */
  get overdueMs(): number {
    return this.#dueMs === null ? 0 : Math.max(0, performance.now() - this.#dueMs);
  }

  /** Something happened that a decision may depend on. Any number of these before the next round are one. */
  wake(): void {
    if (this.#isStopped || this.#scheduled) return;
    this.#dueMs = performance.now();
    this.#scheduled = setImmediate(() => {
      this.#scheduled = null;
      this.#dueMs = null;
      const startedMs = performance.now();
      this.#round();
      this.#options.onRound?.(performance.now() - startedMs);
    });
  }

  /** Something was said that need not be answered: the next round takes it in, in the order of the calls. */
  hear(heard: Heard): void {
    if (this.#isStopped) return;
    this.#heard.push(heard);
    this.wake();
  }

  /**
   * Commits what a person says, decided on the present state, and wakes the loop. Errors:
   * `storage-failed`, `stopping`.
   */
  commit(bodies: readonly EventBody[], by: string): Result<readonly LedgerEvent[]> {
    if (this.#isStopped) return err(failure("stopping", "the control plane is about to end"));
    const { ledger } = this.#options;
    const committed = ledger.commit(ledger.state.sequence, bodies, by);
    this.#noteStorage(committed);
    if (committed.ok && bodies.length > 0) this.wake();
    if (!committed.ok) this.#sleep(this.#retryMs);
    return committed;
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    if (this.#scheduled) clearImmediate(this.#scheduled);
    this.#dueMs = null;
  }

  #round(): void {
    const { ledger, live, dispatch } = this.#options;
    const heard = this.#heard.splice(0);
    // After a failure, a round with nothing to commit would not say that it could be.
    const writable = this.#storageFailure ? ledger.probe() : ok(undefined);
    const settled = writable.ok ? ledger.together(() => this.#takeInAndSettle(heard)) : writable;
    this.#noteStorage(settled);
    if (!settled.ok) {
      for (const { unheard } of heard) unheard();
      this.#sleep(this.#retryMs);
      this.#retryMs = Math.min(this.#retryMs * 2, longestRetryMs);
      return;
    }
    const repeatAtMs = dispatch(ledger.state, live(), ledger.clock.nowMs());
    const instants = [settled.value, repeatAtMs].filter((atMs) => atMs !== null);
    if (instants.length === 0) this.#sleep(null);
    else this.#sleep(Math.min(...instants) - ledger.clock.nowMs());
  }

  #takeInAndSettle(heard: readonly Heard[]): Result<number | null> {
    const { ledger } = this.#options;
    for (const { news, by } of heard) {
      const committed = ledger.commit(ledger.state.sequence, news(ledger.state), by);
      if (!committed.ok) return committed;
    }
    return this.#settle();
  }

  /** Decides and commits until there is nothing more to decide; gives the instant at which there will be. */
  #settle(): Result<number | null> {
    const { ledger, live, decide, log } = this.#options;
    for (let pass = 0; pass < maxPassesPerRound; pass += 1) {
      const { events, wakeAtMs } = decide(ledger.state, live(), ledger.clock.nowMs());
      if (events.length === 0) return ok(wakeAtMs);
      const committed = ledger.commit(ledger.state.sequence, events, "orchestrator");
      if (!committed.ok) return committed;
    }
    log.error({ event: "decisions-unsettled", passes: maxPassesPerRound }, "decisions undo each other");
    return ok(ledger.clock.nowMs() + unsettledPauseMs);
  }

  #noteStorage(committed: Result<unknown>): void {
    const { log } = this.#options;
    if (committed.ok) {
      if (this.#storageFailure) log.info({ event: "ledger-writable" }, "the ledger can be written again");
      this.#storageFailure = null;
      this.#retryMs = shortestRetryMs;
      return;
    }
    const { code, message, cause } = committed.error;
    if (!this.#storageFailure) log.error({ event: "ledger-not-writable", code, err: cause }, message);
    this.#storageFailure = committed.error;
  }

  #sleep(durationMs: number | null): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    if (!this.#scheduled) this.#dueMs = null;
    if (durationMs === null || this.#isStopped) return;
    const sleepMs = Math.min(Math.max(durationMs, 0) + shortestSleepMs, longestSleepMs);
    this.#timer = setTimeout(() => this.wake(), sleepMs);
    this.#dueMs ??= performance.now() + sleepMs;
  }
}
