import { protocolVersion } from "@siding/shared/message";
import type { Beat } from "@siding/shared/report";
import { messageOf } from "@siding/shared/result";
import type { Effect } from "../machine/effect.ts";
import type { Event } from "../machine/event.ts";
import { type Awakening, resume } from "../machine/resume.ts";
import type { MachineState } from "../machine/state.ts";
import { type Step, step } from "../machine/step.ts";
import type { Clock } from "../ports/clock.ts";
import type { Edge } from "../ports/edge.ts";
import type { JournalStore } from "../ports/journal-store.ts";
import type { Log } from "../ports/log.ts";
import type { AskHealth } from "../ports/network.ts";
import type { SampleLoad, Voice } from "../ports/voice.ts";
import { brokenEffect } from "./broken-effect.ts";
import { narrate } from "./chronicle.ts";
import { carryOutOnEdge } from "./edge-effects.ts";
import { HostEffects, type HostPorts } from "./host-effects.ts";

export interface AgentPorts extends HostPorts {
  readonly clock: Clock;
  readonly journal: JournalStore;
  readonly voice: Voice;
  readonly sampleLoad: SampleLoad;
  readonly askHealth: AskHealth;
  readonly edge: Edge | null;
  readonly log: Log;
}

/** A full disk is mostly made room on soon; until then nothing is promised, so nothing is said. */
const journalRetryMs = 1_000;

/**
 * The machine with the world around it: takes one event at a time, makes its step durable, then carries its effects
 * out. What they answer is the next event.
 */
export class Agent {
  readonly #ports: AgentPorts;
  readonly #host: HostEffects;
  readonly #events: Event[] = [];
  #state: MachineState;
  #cancelWake: () => void = () => {};
  /** The step whose journal could not be written; no event is taken before it is. */
  #stuck: readonly Effect[] | null = null;
  #lastBeat: Beat | null = null;
  #busy = false;
  #stopped = false;

  constructor(ports: AgentPorts, awakening: Awakening) {
    this.#ports = ports;
    this.#host = new HostEffects(ports);
    const first = resume(awakening, ports.clock.nowMs());
    this.#state = first.state;
    ports.driver.watchExits((exited) => this.happen({ kind: "process-exited", ...exited }));
    ports.edge?.watchDown(() => this.happen({ kind: "edge-down", message: "nginx has ended" }));
    this.#take(first);
  }

  /** Something happened. Returns when all that follows from it at once is done or on its way. */
  happen(event: Event): void {
    this.#events.push(event);
    if (!this.#busy && this.#stuck === null) this.#takeEvents();
  }

  /**
   * Whether what happens is worked on. Asked from outside, no turn is ever under way; a full disk is waited out, and a
   * restart would not mend it.
   */
  get takesEvents(): boolean {
    return !this.#busy && (this.#events.length === 0 || this.#stuck !== null);
  }

  /** No event is taken any more. What runs, runs on. */
  stop(): void {
    this.#stopped = true;
    this.#cancelWake();
  }

  #takeEvents(): void {
    this.#busy = true;
    for (let event = this.#events.shift(); event !== undefined; event = this.#events.shift()) {
      if (this.#stopped) break;
      const before = this.#state;
      const next = step(before, event, this.#ports.clock.nowMs());
      narrate(this.#ports.log, event, before, next);
      this.#take(next);
      if (this.#stuck !== null) break;
    }
    this.#busy = false;
  }

  #take({ state, effects, wakeAtMs }: Step): void {
    this.#state = state;
    this.#cancelWake();
    this.#cancelWake =
      wakeAtMs === null ? () => {} : this.#ports.clock.wakeAt(wakeAtMs, () => this.happen({ kind: "tick" }));
    this.#carryOutAll(effects);
  }

  /** In order, and nothing before the journal. */
  #carryOutAll(effects: readonly Effect[]): void {
    for (const [index, effect] of effects.entries()) {
      if (effect.kind !== "write-journal") {
        this.#carryOut(effect);
        continue;
      }
      const written = this.#ports.journal.write(effect.journal);
      if (written.ok) continue;
      this.#ports.log.error("journal-not-written", { why: written.error.message });
      this.#complain(written.error.message);
      this.#stuck = effects.slice(index);
      this.#ports.clock.wakeAt(this.#ports.clock.nowMs() + journalRetryMs, () => this.#unstick());
      return;
    }
  }

  /** Nothing may be promised while nothing can be written down; but people are told why. */
  #complain(trouble: string): void {
    if (this.#lastBeat === null) return;
    this.#ports.voice.beat({ ...this.#lastBeat, load: this.#ports.sampleLoad(), trouble });
  }

  #unstick(): void {
    const effects = this.#stuck;
    if (effects === null || this.#stopped) return;
    this.#stuck = null;
    this.#carryOutAll(effects);
    if (this.#stuck === null) this.#takeEvents();
  }

  #carryOut(effect: Effect): void {
    this.#answer(effect)
      .catch((cause: unknown) => {
        this.#ports.log.error("effect-failed", { effect: effect.kind, why: messageOf(cause), err: cause });
        return brokenEffect(effect, messageOf(cause));
      })
      .then((event) => {
        if (event !== null) this.happen(event);
      })
      .catch((cause: unknown) => {
        // A bug of ours: the journal is written, so a fresh start knows more than this process.
        queueMicrotask(() => {
          throw cause;
        });
      });
  }

  async #answer(effect: Effect): Promise<Event | null> {
    const { voice, askHealth, edge, log, sampleLoad } = this.#ports;
    switch (effect.kind) {
      case "write-journal":
        return null;
      case "send-report":
        voice.report(effect.report);
        return null;
      case "send-beat": {
        const { hostId, address } = this.#state.agent;
        const { stateDigest, intervalMs } = effect;
        const { incarnation } = this.#state;
        const load = sampleLoad();
        this.#lastBeat = { v: protocolVersion, hostId, incarnation, address, stateDigest, intervalMs, load };
        voice.beat(this.#lastBeat);
        return null;
      }
      case "probe": {
        const answer = await askHealth(effect);
        return { kind: "probed", owner: effect.owner, op: effect.op, answer };
      }
      case "start-edge":
      case "recover-edge":
      case "apply-upstream":
      case "prepare-upstream":
        return edge === null ? null : carryOutOnEdge(edge, effect, log);
      case "adopt":
      case "stage-release":
      case "cancel-stage":
      case "prune-releases":
      case "count-connections":
      case "stop-process":
      case "start-process":
      case "run-hook":
      case "cancel-hook":
      case "run-check":
        return this.#host.carryOut(effect);
    }
  }
}
