import { BeatStore } from "@siding/control-plane/fleet/beats";
import type { LiveFleet } from "@siding/control-plane/fleet/live";
import type { EventBody } from "@siding/control-plane/ledger/event";
import type { LedgerState } from "@siding/control-plane/ledger/state";
import { emptySentLog, outbox, type SentLog } from "@siding/control-plane/messaging/outbox";
import type { Core } from "@siding/control-plane/orchestrator/decide";
import type { Command } from "@siding/shared/command";
import type { ControlPlaneId, HostId, Incarnation } from "@siding/shared/ids";
import type { Beat, Report } from "@siding/shared/report";
import { controlPlaneParty } from "../scenario/fault.ts";
import { storyOfCommand, storyOfEvent, storyOfReport } from "../story.ts";
import type { Surroundings } from "../surroundings.ts";
import type { Appointment } from "../timeline.ts";
import type { Brain } from "./brain.ts";
import { Killed, type Killer } from "./killer.ts";
import type { MemoryLedger, OpenLedger } from "./memory-ledger.ts";

/** More passes than this within one round: two decisions undo each other. */
const maxPassesPerRound = 200;
/** Between attempts to write to a full disk. */
const storageRetryMs = 250;
const restartMs = 2_000;
/** 2026-01-01, until somebody sets it: nothing depends on the wall clock. */
const wallAtBirthMs = 1_767_225_600_000;

/** One life: everything here is lost when the process dies. */
interface Life {
  readonly ledger: OpenLedger;
  readonly beats: BeatStore;
  readonly newest: Map<HostId, Map<Incarnation, number>>;
  sent: SentLog;
  wake: Appointment | null;
  round: Appointment | null;
}

/** What a person may be told: the state at this instant, and the way to change it. */
export interface Desk {
  readonly state: LedgerState;
  readonly live: LiveFleet;
  readonly nowMs: number;
  readonly at: string;
  readonly commit: (bodies: readonly EventBody[], by: string) => boolean;
}

/**
 * The control plane's shell as production has it (orchestrator/loop.ts, messaging/reception.ts, messaging/dispatcher.ts),
 * around the same pure core: decide until there is nothing to decide, commit, publish what is unanswered, sleep. It can be
 * killed before and after each commit and within a publication.
 */
export class ControlPlane {
  readonly #around: Surroundings;
  readonly #durable: MemoryLedger;
  readonly #brain: Brain;
  readonly #core: Core;
  readonly #killer: Killer;
  readonly #deliver: (command: Command) => void;
  #life: Life | null = null;
  #starts = 0;

  constructor(
    around: Surroundings,
    durable: MemoryLedger,
    thinking: { readonly brain: Brain; readonly checker: boolean },
    killer: Killer,
    deliver: (command: Command) => void,
  ) {
    this.#around = around;
    this.#durable = durable;
    const { brain, checker } = thinking;
    this.#brain = brain;
    this.#core = { advance: brain.advance, check: checker ? brain.check : () => [] };
    this.#killer = killer;
    this.#deliver = deliver;
  }

  get isAlive(): boolean {
    return this.#life !== null;
  }

  start(): void {
    if (this.#life) return;
    const { timeline, bus, weather } = this.#around;
    // Its supervisor tries again: nobody starts without having written down that he did.
    if (weather.isDiskFull()) {
      timeline.after(restartMs, () => this.start());
      return;
    }
    const time = {
      monotonicMs: () => timeline.nowMs,
      wallMs: () => wallAtBirthMs + timeline.nowMs + weather.wallOffsetMs,
    };
    const ledger = this.#durable.open(time);
    const beats = new BeatStore(ledger.clock);
    const life: Life = { ledger, beats, newest: new Map(), sent: emptySentLog(), wake: null, round: null };
    this.#life = life;
    this.#starts += 1;
    const epoch = ledger.state.epoch + 1;
    const controlPlaneId = `cp${this.#starts}` as ControlPlaneId;
    this.#trace(() => `control plane ${controlPlaneId} starts with epoch ${epoch}`);
    this.#living(() => {
      this.#commit([{ type: "control-plane-started", epoch, controlPlaneId, version: "simulated" }], "self");
      bus.join(controlPlaneParty, {
        connected: () => this.#connected(),
        disconnected: () => this.#disconnected(),
      });
      this.#wake();
    });
  }

  kill(): void {
    const life = this.#life;
    if (!life) return;
    this.#trace(() => "control plane dies");
    for (const appointment of [life.wake, life.round]) if (appointment) appointment.calledOff = true;
    this.#life = null;
    this.#around.record({ kind: "deaf" });
    this.#around.bus.leave(controlPlaneParty);
  }

  /** The process is stopped, an old backup takes the ledger's place, and it is started again. */
  restore(share: number, downMs: number): void {
    this.kill();
    const lost = this.#durable.restore(share);
    const kept = this.#durable.events;
    this.#trace(() => `an older ledger is restored: ${kept.length} events, ${lost.length} are lost`);
    const forgotten = lost.map(({ sequence }) => sequence);
    this.#around.record({ kind: "ledger-restored", kept: [...kept], forgotten });
    this.#around.timeline.after(downMs, () => this.start());
  }

  report(report: Report): void {
    this.#living((life) => {
      const { hostId, incarnation, sequence } = report;
      const lives = life.newest.get(hostId) ?? new Map<Incarnation, number>();
      if (sequence <= (lives.get(incarnation) ?? 0)) return;
      this.#trace(() => `control plane hears ${storyOfReport(report)}`);
      life.beats.reported(hostId);
      const taken = this.#commit(this.#brain.intake(life.ledger.state, report), hostId);
      // What could not be made durable was not heard.
      if (taken) life.newest.set(hostId, lives.set(incarnation, sequence));
      this.#wake();
    });
  }

  beat(beat: Beat): void {
    this.#living((life) => {
      this.#around.record({ kind: "beat-heard", hostId: beat.hostId, incarnation: beat.incarnation });
      if (life.beats.accept(beat)) this.#wake();
    });
  }

  /** A person's request; null while nobody answers. */
  ask<T>(what: (desk: Desk) => T): T | null {
    return this.#living(({ ledger, beats }) =>
      what({
        state: ledger.state,
        live: beats.view(),
        nowMs: ledger.clock.nowMs(),
        at: ledger.clock.at(),
        commit: (bodies, by) => {
          const taken = this.#commit(bodies, by);
          this.#wake();
          return taken;
        },
      }),
    );
  }

  /** What is published and not answered at this instant; for the end of a run. */
  unanswered(): readonly Command[] {
    const life = this.#life;
    const stamp = life && stampOf(life);
    if (!life || !stamp) return [];
    const { ledger, beats } = life;
    return outbox(ledger.state, beats.view(), stamp, emptySentLog(), ledger.clock.nowMs()).commands;
  }

  #connected(): void {
    this.#living((life) => {
      life.beats.connected();
      this.#trace(() => "control plane is connected");
      this.#around.record({ kind: "listening" });
      this.#wake();
    });
  }

  #disconnected(): void {
    this.#living((life) => {
      life.beats.disconnected();
      this.#trace(() => "control plane is cut off");
      this.#around.record({ kind: "deaf" });
      this.#wake();
    });
  }

  /** Runs a part of this life, which may end in the middle of it. */
  #living<T>(part: (life: Life) => T): T | null {
    if (!this.#life) return null;
    try {
      return part(this.#life);
    } catch (thrown) {
      if (!(thrown instanceof Killed)) throw thrown;
      this.kill();
      this.#around.timeline.after(thrown.downMs, () => this.start());
      return null;
    }
  }

  #wake(): void {
    const life = this.#life;
    if (!life || life.round) return;
    life.round = this.#around.timeline.after(this.#around.scenario.roundMs, () => {
      life.round = null;
      this.#living(() => this.#round(life));
    });
  }

  #round(life: Life): void {
    const settled = this.#settle(life);
    const repeatMs = settled.kind === "settled" ? this.#publish(life) : null;
    const nowMs = life.ledger.clock.nowMs();
    const wakeAtMs = settled.kind === "settled" ? settled.wakeAtMs : nowMs + storageRetryMs;
    const instants = [wakeAtMs, repeatMs].filter((atMs) => atMs !== null);
    if (life.wake) life.wake.calledOff = true;
    life.wake = null;
    if (instants.length === 0) return;
    const sleepMs = Math.max(0, Math.min(...instants) - nowMs) + 1;
    life.wake = this.#around.timeline.after(sleepMs, () => this.#wake());
  }

  #settle({ ledger, beats }: Life): { kind: "settled"; wakeAtMs: number | null } | { kind: "disk-full" } {
    for (let pass = 0; pass < maxPassesPerRound; pass += 1) {
      const { events, wakeAtMs } = this.#brain.decideAll(
        ledger.state,
        beats.view(),
        ledger.clock.nowMs(),
        this.#core,
      );
      if (events.length === 0) return { kind: "settled", wakeAtMs };
      if (!this.#commit(events, "orchestrator")) return { kind: "disk-full" };
    }
    this.#around.record({ kind: "restless", passes: maxPassesPerRound });
    return { kind: "settled", wakeAtMs: ledger.clock.nowMs() + storageRetryMs };
  }

  /** False where nothing could be written. */
  #commit(bodies: readonly EventBody[], by: string): boolean {
    const life = this.#life;
    if (!life || this.#around.weather.isDiskFull()) return false;
    if (bodies.length === 0) return true;
    this.#killer.at("before-commit");
    const events = life.ledger.append(bodies, by);
    for (const event of events) {
      this.#trace(() => `#${event.sequence} ${event.by}: ${storyOfEvent(event.body)}`);
      this.#around.record({ kind: "event", event });
    }
    this.#killer.at("before-publish");
    return true;
  }

  #publish(life: Life): number | null {
    const { ledger, beats } = life;
    const live = beats.view();
    const stamp = stampOf(life);
    if (live.connectedSinceMs === null || !stamp) return null;
    const outgoing = outbox(ledger.state, live, stamp, life.sent, ledger.clock.nowMs());
    for (const command of outgoing.commands) {
      this.#trace(() => `control plane tells ${storyOfCommand(command)}`);
      this.#around.record({ kind: "published", command });
      this.#deliver(command);
      this.#killer.at("within-publish");
    }
    if (outgoing.commands.length > 0) this.#killer.at("after-publish");
    life.sent = outgoing.sent;
    return outgoing.wakeAtMs;
  }

  #trace(text: () => string): void {
    this.#around.trace.line(this.#around.timeline.nowMs, text);
  }
}

function stampOf({ ledger }: Life) {
  const { epoch, controlPlaneId } = ledger.state;
  return controlPlaneId === null ? null : { epoch, controlPlaneId };
}
