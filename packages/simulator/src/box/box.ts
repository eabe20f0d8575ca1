import type { HostEffect } from "@siding/agent/machine/effect";
import type { FoundRelease } from "@siding/agent/machine/event";
import { emptyJournal, type Journal } from "@siding/agent/machine/journal";
import type { AgentIdentity } from "@siding/agent/machine/state";
import type { Address, HostId, Incarnation, ServiceName } from "@siding/shared/ids";
import type { Target } from "@siding/shared/target";
import type { Party } from "../scenario/fault.ts";
import { readyOrEnding } from "../scenario/release.ts";
import type { Surroundings } from "../surroundings.ts";
import { addressOf } from "./address.ts";
import type { AgentLife } from "./agent-life.ts";
import { Nginx } from "./nginx.ts";
import type { ServiceProcess } from "./process.ts";

export type HookRun = Extract<HostEffect, { kind: "run-hook" }>;

/** A process to be: what `start-process` says of it. */
export interface Birth {
  readonly target: Target;
  readonly startId: number;
  readonly port: number;
  readonly service: ServiceProcess["service"];
  readonly slot: ServiceProcess["slot"];
}

/** A fresh machine's clock does not begin at nothing. */
const clockAtBootMs = 1_000;

/**
 * One machine: what is on its disk, what runs on it, and its agent. The agent's death ends nothing else; a power cut ends
 * everything but the disk.
 */
export class Box {
  readonly around: Surroundings;
  /** Its line to the bus. */
  readonly party: Party;
  readonly nginx: Nginx | null;
  readonly processes = new Map<string, ServiceProcess>();
  /** Hooks that this life of the agent has begun, by their op. */
  readonly hooks = new Map<string, HookRun>();
  journal: Journal;
  releases: FoundRelease[] = [];
  agent: AgentLife | null = null;
  readonly #awake: (box: Box, incarnation: Incarnation) => AgentLife;
  readonly #identity: AgentIdentity;
  #moves = 0;
  #retired = false;
  #powered = false;
  #boots = 0;
  #bootedAtMs = 0;
  #incarnations = 0;
  #refs = 0;
  /** How the last process of each service ended. */
  readonly #lastEnds = new Map<ServiceName, "asked" | "fault">();
  readonly #diedAlready = new Set<ServiceName>();
  #healed = false;

  /** @param awake makes a new life of this machine's agent */
  constructor(
    identity: AgentIdentity,
    around: Surroundings,
    awake: (box: Box, incarnation: Incarnation) => AgentLife,
    party: Party = identity.hostId,
  ) {
    this.#identity = identity;
    this.around = around;
    this.party = party;
    this.#awake = awake;
    this.journal = emptyJournal("boot-0");
    this.nginx = identity.roles.includes("edge") ? new Nginx(identity.hostId, around) : null;
  }

  /** What its agent says of itself. */
  get identity(): AgentIdentity {
    return { ...this.#identity, address: this.address };
  }

  get hostId(): HostId {
    return this.#identity.hostId;
  }

  get address(): Address {
    return addressOf(this.hostId, this.#moves);
  }

  get isPowered(): boolean {
    return this.#powered;
  }

  /** The monotonic clock of this boot. */
  get clockMs(): number {
    return clockAtBootMs + this.around.timeline.nowMs - this.#bootedAtMs;
  }

  /** The process of a service. */
  processOf(service: ServiceName): ServiceProcess | null {
    return [...this.processes.values()].find((process) => process.service === service) ?? null;
  }

  /** The one that listens on a port. */
  listenerOn(port: number): ServiceProcess | null {
    return [...this.processes.values()].find((process) => process.port === port) ?? null;
  }

  get isHealed(): boolean {
    return this.#healed;
  }

  heal(): void {
    this.#healed = true;
    for (const process of this.processes.values()) process.sickUntilMs = 0;
    if (this.agent) this.agent.fuse = null;
  }

  /** It has left the fleet for good. */
  retire(): void {
    this.cutPower();
    this.#retired = true;
  }

  /** Another network: it comes back with another address. */
  move(): void {
    this.cutPower();
    this.#moves += 1;
    this.trace(() => `moves to ${this.address}`);
    this.around.record({ kind: "moved", hostId: this.hostId });
    this.boot();
  }

  boot(): void {
    if (this.#powered || this.#retired) return;
    this.#powered = true;
    this.#boots += 1;
    this.#bootedAtMs = this.around.timeline.nowMs;
    this.trace(() => `boots`);
    this.startAgent();
  }

  startAgent(): void {
    if (!this.#powered || this.agent) return;
    this.#incarnations += 1;
    const incarnation = `${this.party}-${this.#incarnations}` as Incarnation;
    const agent = this.#awake(this, incarnation);
    this.agent = agent;
    agent.begin(`boot-${this.#boots}`);
  }

  killAgent(): void {
    if (!this.agent) return;
    this.trace(() => "agent dies");
    this.agent.die();
    this.agent = null;
    this.hooks.clear();
    this.nginx?.agentDied();
  }

  cutPower(): void {
    if (!this.#powered) return;
    this.trace(() => "loses power");
    this.killAgent();
    this.#powered = false;
    const lost = [...this.processes.values()];
    this.processes.clear();
    for (const { service } of lost) this.around.traffic.cut(this.address, service);
    this.nginx?.powerCut();
    for (const process of lost) this.#lost(process);
  }

  /** Returns null where the port is taken. */
  spawn({ target, startId, port, service, slot }: Birth): ServiceProcess | null {
    const { timeline, scenario } = this.around;
    if (this.listenerOn(port)) return null;
    this.#refs += 1;
    const { hostId } = this;
    const conduct = readyOrEnding(
      scenario,
      { service, version: target.release.version, hostId },
      this.#diedAlready.has(service) || this.#healed,
    );
    const process: ServiceProcess = {
      ref: `${this.party}-p${this.#refs}`,
      service,
      slot,
      targetId: target.id,
      startId,
      port,
      conduct,
      startedAtMs: timeline.nowMs,
      afterFault: this.#lastEnds.get(service) === "fault",
      stopping: false,
      sickUntilMs: 0,
    };
    this.processes.set(process.ref, process);
    // What edges left behind while nothing listened here has failed there: no request is older than its process.
    this.around.traffic.cut(this.address, service);
    this.trace(() => `runs ${target.id} as ${process.ref} (${conduct.kind})`);
    this.around.record({ kind: "process-started", hostId, process });
    return process;
  }

  /** SIGTERM: what is in flight is finished, at most within the grace as long as the agent is there to say SIGKILL. */
  terminate(process: ServiceProcess): void {
    process.stopping = true;
    this.trace(() => `stops ${process.ref}`);
    this.around.record({ kind: "process-stopped", hostId: this.hostId, process });
  }

  /** It has ended because it was asked to. */
  ended(process: ServiceProcess): void {
    if (!this.processes.delete(process.ref)) return;
    this.around.traffic.cut(this.address, process.service);
    this.#lastEnds.set(process.service, "asked");
    this.trace(() => `${process.ref} has ended`);
    this.agent?.processGone(process, { code: 0, signal: null, output: "" });
  }

  /** It ends by itself, whoever's fault that is. */
  endByItself(process: ServiceProcess): void {
    if (!this.processes.delete(process.ref)) return;
    this.around.traffic.cut(this.address, process.service);
    if (process.conduct.kind === "dies") this.#diedAlready.add(process.service);
    if (process.stopping) this.#lastEnds.set(process.service, "asked");
    else this.#lost(process);
    this.agent?.processGone(process, { code: 1, signal: null, output: "simulated" });
  }

  trace(text: () => string): void {
    const { trace, timeline } = this.around;
    trace.line(timeline.nowMs, () => `${this.party} ${text()}`);
  }

  #lost(process: ServiceProcess): void {
    this.#lastEnds.set(process.service, "fault");
    this.trace(() => `${process.ref} is lost`);
    this.around.record({ kind: "process-lost", hostId: this.hostId, process });
  }
}
