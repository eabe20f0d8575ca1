import type { Effect } from "@siding/agent/machine/effect";
import type { Event, ProcessExit } from "@siding/agent/machine/event";
import { resume } from "@siding/agent/machine/resume";
import type { MachineState } from "@siding/agent/machine/state";
import { type Step, step } from "@siding/agent/machine/step";
import type { Command } from "@siding/shared/command";
import type { Incarnation } from "@siding/shared/ids";
import { protocolVersion } from "@siding/shared/message";
import type { Beat } from "@siding/shared/report";
import type { Ears } from "../ears.ts";
import { controlPlaneParty } from "../scenario/fault.ts";
import type { Appointment } from "../timeline.ts";
import type { AgentLife, Fuse, Range } from "./agent-life.ts";
import type { Box } from "./box.ts";
import { carryOutOnEdge } from "./edge-adapters.ts";
import { carryOutOnHost } from "./host-adapters.ts";
import type { ServiceProcess } from "./process.ts";

/** Of an adopted process the end is seen by looking, of a child at once. */
const exitSeenMs = { least: 1, most: 300 };

/** One life of an agent: the real machine, and simulated hands. */
export class Agent implements AgentLife {
  readonly box: Box;
  readonly incarnation: Incarnation;
  fuse: Fuse | null = null;
  #state: MachineState | null = null;
  #alive = true;
  #wake: Appointment | null = null;

  constructor(box: Box, incarnation: Incarnation) {
    this.box = box;
    this.incarnation = incarnation;
  }

  get isAlive(): boolean {
    return this.#alive;
  }

  begin(bootId: string): void {
    const { identity, journal, clockMs, around } = this.box;
    this.box.trace(() => `agent ${this.incarnation} starts`);
    this.#take(resume({ agent: identity, journal, incarnation: this.incarnation, bootId }, clockMs));
    around.bus.join(this.box.party, {
      connected: () => this.happen({ kind: "connected", beatOffset: around.random.share() }),
      disconnected: () => this.happen({ kind: "disconnected" }),
    });
  }

  die(): void {
    this.#alive = false;
    if (this.#wake) this.#wake.calledOff = true;
    this.box.around.bus.leave(this.box.party);
  }

  hear(command: Command): void {
    this.happen({ kind: "command", command });
  }

  happen(event: Event): void {
    if (!this.#alive || !this.#state) return;
    this.#take(step(this.#state, event, this.box.clockMs));
  }

  answer(range: Range, make: () => Event | null): void {
    const { timeline, random } = this.box.around;
    timeline.after(random.spread(range.least, range.most), () => {
      if (!this.#alive) return;
      const event = make();
      if (event) this.happen(event);
    });
  }

  processGone({ service, slot, startId }: ServiceProcess, exit: ProcessExit): void {
    this.answer(exitSeenMs, () => ({ kind: "process-exited", service, slot, startId, exit }));
  }

  #take({ state, effects, wakeAtMs }: Step): void {
    this.#state = state;
    for (const effect of effects) {
      if (!this.#alive) return;
      this.#carryOut(effect);
      if (isNoteworthy(effect)) this.#burn();
    }
    if (this.#alive) this.#wakeAt(wakeAtMs);
  }

  #burn(): void {
    const { fuse } = this;
    if (!fuse) return;
    fuse.left -= 1;
    if (fuse.left > 0) return;
    this.fuse = null;
    fuse.blow();
  }

  #wakeAt(wakeAtMs: number | null): void {
    const { timeline } = this.box.around;
    const atMs =
      wakeAtMs === null ? null : timeline.nowMs + Math.max(0, Math.ceil(wakeAtMs - this.box.clockMs));
    if (this.#wake && !this.#wake.calledOff && this.#wake.atMs === atMs && atMs > timeline.nowMs) return;
    if (this.#wake) this.#wake.calledOff = true;
    this.#wake = atMs === null ? null : timeline.at(atMs, () => this.happen({ kind: "tick" }));
  }

  #carryOut(effect: Effect): void {
    const { box } = this;
    switch (effect.kind) {
      case "write-journal":
        box.journal = effect.journal;
        box.around.record({ kind: "journal-written", hostId: box.hostId, journal: effect.journal });
        return;
      case "send-report":
        this.#say((ears) => ears.report(effect.report));
        return;
      case "send-beat":
        this.#sayBeat(effect);
        return;
      case "start-edge":
      case "apply-upstream":
      case "prepare-upstream":
      case "recover-edge":
        carryOutOnEdge(box, this, effect);
        return;
      case "adopt":
      case "stage-release":
      case "cancel-stage":
      case "prune-releases":
      case "count-connections":
      case "stop-process":
      case "start-process":
      case "run-hook":
      case "cancel-hook":
      case "probe":
      case "run-check":
        carryOutOnHost(box, this, effect);
        return;
    }
  }

  #sayBeat({ stateDigest, intervalMs }: Extract<Effect, { kind: "send-beat" }>): void {
    const { hostId } = this.box;
    const { incarnation } = this;
    const load = { cpu: this.box.around.loadOf(hostId), memory: null };
    const { address } = this.box;
    const beat: Beat = { v: protocolVersion, hostId, incarnation, address, stateDigest, intervalMs, load };
    this.#say((ears) => ears.beat(beat));
  }

  #say(what: (ears: Ears) => void): void {
    const { bus, ears } = this.box.around;
    bus.send(this.box.party, controlPlaneParty, () => what(ears));
  }
}

/** Probes and beats are so many that a fault counted in them would rarely hit anything else. */
function isNoteworthy({ kind }: Effect): boolean {
  return kind !== "probe" && kind !== "run-check" && kind !== "send-beat" && kind !== "count-connections";
}
