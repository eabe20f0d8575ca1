import type { ApplyRevision, Command, InstanceCommandBody, UpstreamContent } from "@siding/shared/command";
import { contentDigest } from "@siding/shared/digest";
import type {
  CommandId,
  ControlPlaneId,
  HostId,
  Incarnation,
  ServiceName,
  Slot,
  UpstreamName,
  Version,
} from "@siding/shared/ids";
import type { InstanceReport, Report, StateReport, UpstreamReport } from "@siding/shared/report";
import { ok } from "@siding/shared/result";
import { makeTarget, type Target, type TargetSpec } from "@siding/shared/target";
import type { Effect, EffectKind, FoundProcess, ListToServe } from "./effect.ts";
import type { Event, FoundRelease, ServedRevision } from "./event.ts";
import { emptyJournal, type Journal } from "./journal.ts";
import { resume } from "./resume.ts";
import type { AgentIdentity, MachineState } from "./state.ts";
import { type Step, step } from "./step.ts";

const hostId = "h1" as HostId;
export const service = "web" as ServiceName;
export const upstreamName = "web" as UpstreamName;
const controlPlaneId = "cp1" as ControlPlaneId;

const agent: AgentIdentity = {
  hostId,
  address: "10.0.0.1",
  labels: { role: "web" },
  roles: ["host", "edge"],
  agentVersion: "0.1.0",
  hostname: "one",
  edgeAddresses: ["10.0.0.1"],
  beatIntervalMs: 10_000,
  inventory: null,
};

const health = { http: "/healthz", intervalMs: 500, timeoutMs: 2_000, rise: 2, graceMs: 30_000 };
const spec: TargetSpec = {
  run: { command: ["node", "server.js"], env: {}, stopGraceMs: 20_000 },
  ports: { blue: 8080, green: 8081 },
  health,
  drain: { deadlineMs: 30_000, onDeadline: "proceed", others: "ignore" },
  hooks: {},
};

export function targetOf(version: string, change: Partial<TargetSpec> = {}): Target {
  const digest = contentDigest(version);
  return makeTarget({ version: version as Version, digest, sizeBytes: 1 }, 1, { ...spec, ...change });
}

/** What a test may let the world answer; what it does not name goes well. */
export type Answers = { [K in EffectKind]?: (effect: Extract<Effect, { kind: K }>) => Event | null };

interface Scheduled {
  readonly atMs: number;
  readonly event: Event;
}

/** A machine in a world of virtual time where every effect is answered after a millisecond. */
export class World {
  nowMs = 1_000;
  state: MachineState;
  journal: Journal = emptyJournal("boot-1");
  answers: Answers;
  readonly reports: Report[] = [];
  readonly beats: Effect[] = [];
  readonly asked: Effect[] = [];
  readonly processes = new Map<string, FoundProcess>();
  readonly releases: FoundRelease[] = [];
  readonly #queue: Scheduled[] = [];
  #wakeAtMs: number | null = null;
  #nginxRuns = false;
  #starts = 0;
  #incarnations = 0;

  constructor(answers: Answers = {}) {
    this.answers = answers;
    this.state = this.restart();
  }

  /** Kills the agent where it stands and starts it again; what it asked the world for comes to nobody. */
  restart(bootId = this.journal.bootId): MachineState {
    this.#incarnations += 1;
    this.#queue.length = 0;
    if (bootId !== this.journal.bootId) this.cutPower();
    const incarnation = `inc${this.#incarnations}` as Incarnation;
    const journal = structuredClone(this.journal);
    this.#take(resume({ agent, journal, incarnation, bootId }, this.nowMs));
    this.happen({ kind: "connected", beatOffset: 1 });
    return this.state;
  }

  /** Ends what runs. */
  cutPower(): void {
    this.processes.clear();
    this.#nginxRuns = false;
  }

  happen(event: Event): void {
    this.#take(step(this.state, event, this.nowMs));
  }

  /** Lets time pass. Throws where the machine wants to be woken for ever at one instant. */
  run(forMs: number): void {
    const untilMs = this.nowMs + forMs;
    for (let turns = 0; turns < 100_000; turns += 1) {
      this.#queue.sort((left, right) => left.atMs - right.atMs);
      const next = this.#queue[0];
      const atMs = Math.min(
        next?.atMs ?? Number.POSITIVE_INFINITY,
        this.#wakeAtMs ?? Number.POSITIVE_INFINITY,
      );
      if (atMs > untilMs) {
        this.nowMs = untilMs;
        return;
      }
      if (atMs < this.nowMs) throw new Error(`asked to be woken at ${atMs}, which is before ${this.nowMs}`);
      this.nowMs = atMs;
      if (next !== undefined && next.atMs === atMs) {
        this.#queue.shift();
        this.happen(next.event);
      } else {
        this.happen({ kind: "tick" });
        if (this.#wakeAtMs !== null && this.#wakeAtMs <= this.nowMs)
          throw new Error("woken, and wants it again");
      }
    }
    throw new Error("the machine never rests");
  }

  send(command: Command): void {
    this.happen({ kind: "command", command });
  }

  /** Sends an instance command with the next revision. */
  tell(revision: number, body: InstanceCommandBody, more: { deadlineMs?: number; slot?: Slot } = {}): void {
    const { deadlineMs = 120_000, slot = "blue" } = more;
    this.send({ ...this.envelope(revision), deadlineMs, service, slot, ...body });
  }

  envelope(revision: number) {
    return {
      v: 1 as const,
      commandId: `c${revision}` as CommandId,
      hostId,
      epoch: 1,
      controlPlaneId,
      incarnation: this.state.incarnation,
      revision,
      deadlineMs: 120_000,
    };
  }

  /** Brings the instance to serve this target, by the commands of a rollout. */
  deploy(target: Target, revision: number): void {
    this.tell(revision, { kind: "stage", target });
    this.run(100);
    this.tell(revision + 1, { kind: "update", target });
    this.run(100);
    this.tell(revision + 2, { kind: "verify", target, holdMs: 0, attempt: 1 });
    this.run(2_000);
    this.tell(revision + 3, { kind: "rejoin", target });
    this.run(100);
  }

  /** The newest word on the instance. */
  said(slot: Slot = "blue"): InstanceReport {
    const all = this.#states().flatMap((each) => each.instances.filter((one) => one.slot === slot));
    const last = all.at(-1);
    if (last === undefined) throw new Error(`nothing was said of ${slot}`);
    return last;
  }

  saidOfUpstream(): UpstreamReport {
    const last = this.#states()
      .flatMap((each) => each.upstreams)
      .at(-1);
    if (last === undefined) throw new Error("nothing was said of the upstream");
    return last;
  }

  count(kind: EffectKind): number {
    return this.asked.filter((each) => each.kind === kind).length;
  }

  /** A process ends by itself. */
  crash(code: number, output = ""): void {
    for (const [ref, { service: of, slot, startId }] of this.processes) {
      this.processes.delete(ref);
      const exit = { code, signal: null, output };
      this.happen({ kind: "process-exited", service: of, slot, startId, exit });
    }
  }

  #states(): StateReport[] {
    return this.reports.filter((each) => each.kind === "state");
  }

  #take({ state, effects, wakeAtMs }: Step): void {
    this.state = state;
    this.#wakeAtMs = wakeAtMs;
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: Effect): void {
    this.asked.push(effect);
    const special = this.answers[effect.kind] as ((effect: Effect) => Event | null) | undefined;
    const event = special === undefined ? this.#answer(effect) : special(effect);
    if (event !== null) this.#queue.push({ atMs: this.nowMs + 1, event });
  }

  #answer(effect: Effect): Event | null {
    switch (effect.kind) {
      case "write-journal":
        this.journal = JSON.parse(JSON.stringify(effect.journal)) as Journal;
        return null;
      case "send-report":
        this.reports.push(effect.report);
        return null;
      case "send-beat":
        this.beats.push(effect);
        return null;
      case "adopt":
        return {
          kind: "adopted",
          op: effect.op,
          processes: [...this.processes.values()],
          releases: [...this.releases],
        };
      case "stage-release":
        this.releases.push({ service: effect.service, ...effect.target.release });
        return { kind: "staged", op: effect.op, service, slot: effect.slot, result: ok(null) };
      case "count-connections":
        return { kind: "connections-counted", op: effect.op, service, slot: effect.slot, result: ok([]) };
      case "stop-process":
        this.processes.delete(effect.process);
        return { kind: "process-stopped", op: effect.op, service, slot: effect.slot, result: ok(null) };
      case "start-process":
        return this.#started(effect);
      case "probe":
        return {
          kind: "probed",
          op: effect.op,
          owner: effect.owner,
          answer: { kind: "status", status: 200 },
        };
      case "run-hook":
        return {
          kind: "hook-ended",
          op: effect.op,
          service,
          slot: effect.slot,
          hook: effect.hook,
          result: ok(null),
        };
      case "run-check": {
        const owner = { kind: "instance", service: effect.service, slot: effect.slot } as const;
        const answer = { kind: "exit", code: 0, signal: null, output: "" } as const;
        return { kind: "probed", op: effect.op, owner, answer };
      }
      case "cancel-stage":
      case "cancel-hook":
      case "prune-releases":
        return null;
      case "start-edge": {
        const kind = this.#nginxRuns || effect.lists !== null ? "serving" : "cold";
        this.#nginxRuns = kind === "serving";
        const confirmed = (effect.lists ?? []).map(servedOf);
        return { kind: "edge-started", op: effect.op, result: ok({ kind, confirmed }) };
      }
      case "recover-edge":
        return { kind: "edge-recovered", op: effect.op, result: ok(null) };
      case "apply-upstream":
        return appliedWell(effect);
      case "prepare-upstream": {
        const { upstream } = effect.content;
        return { kind: "upstream-prepared", op: effect.op, upstream, result: ok(null) };
      }
    }
  }

  #started({ op, slot, startId, target }: Extract<Effect, { kind: "start-process" }>): Event {
    this.#starts += 1;
    const process = `p${this.#starts}`;
    this.processes.set(process, { service, slot, targetId: target.id, startId, process });
    return { kind: "process-started", op, service, slot, result: ok(process) };
  }
}

export function appliedWell(effect: Extract<Effect, { kind: "apply-upstream" }>): Event {
  const { op, content } = effect;
  return { kind: "upstream-applied", op, upstream: content.upstream, result: ok(servedOf(effect)) };
}

/** As nginx would serve it. */
export function servedOf({ content, revision, ejected }: ListToServe): ServedRevision {
  return {
    upstream: content.upstream,
    revision,
    digest: contentDigest(content),
    generation: revision,
    reloads: 1,
    ejections: 0,
    ejected,
    turnoverMs: 5,
  };
}

/** A revision with the instances of these hosts listed, and these watched under the given attempt. */
export function contentOf(
  members: readonly string[],
  watch: Readonly<Record<string, number>> = {},
): UpstreamContent {
  const member = (name: string) => ({
    hostId: name as HostId,
    slot: "blue" as const,
    targetId: targetOf("v1").id,
    address: "10.0.0.9",
    port: 8080,
  });
  return {
    upstream: upstreamName,
    members: members.map(member),
    shares: [],
    balance: "round-robin",
    watch: Object.entries(watch).map(([name, attempt]) => ({ ...member(name), attempt })),
    checks: { [targetOf("v1").id]: health },
  };
}

export function revisionOf(
  world: World,
  revision: number,
  content: UpstreamContent,
  step: ApplyRevision["step"] = "commit",
): Command {
  const digest = contentDigest(content);
  return { ...world.envelope(revision), kind: "apply-revision", step, digest, content };
}
