import { features } from "@siding/shared/features";
import {
  type Address,
  Digest,
  HostId,
  Incarnation,
  type Labels,
  RolloutId,
  ServiceName,
  Version,
} from "@siding/shared/ids";
import type { Beat, HostFacts, InstanceReport, UpstreamReport } from "@siding/shared/report";
import { type RestartBody, RolloutBody } from "@siding/shared/rest";
import { type ServiceSpec, SpecInput } from "@siding/shared/spec";
import type { z } from "zod";
import type { BeatRecord, LiveFleet } from "../fleet/live.ts";
import { withBeat } from "../fleet/live.ts";
import { snapshotOf } from "../fleet/snapshot.ts";
import { type EventBody, firstSequence, type LedgerEvent } from "../ledger/event.ts";
import { fold } from "../ledger/fold.ts";
import { emptyState, type HostRecord, type LedgerState } from "../ledger/state.ts";
import { admitRollback, admitRollout } from "../orchestrator/admit.ts";
import { type ControlVerb, controlRollout } from "../orchestrator/control.ts";
import { decide, decideAll } from "../orchestrator/decide.ts";
import { declareService, registerRelease } from "../orchestrator/declare.ts";
import { excludeEdge, includeEdge } from "../orchestrator/edges.ts";
import { holdHost, releaseHost } from "../orchestrator/holds.ts";
import { admitRestart } from "../orchestrator/restart.ts";
import type { RolloutRecord } from "../rollout/record.ts";
import type { Snapshot } from "../rollout/snapshot.ts";
import { type Behaviour, edgeAnswer, hostAnswers } from "./agents.ts";

/**
 * A fleet for tests of the pure parts: a real ledger state, changed only by events, and agents that do at once what
 * they are told. No time passes unless a test says so.
 */
export class Scene {
  readonly state: LedgerState = emptyState();
  readonly service = ServiceName.parse("web");
  readonly log: LedgerEvent[] = [];
  readonly behaviours = new Map<string, Behaviour>();
  nowMs = 1_000;
  /** Since when the control plane has its connection to NATS; null while it has none. */
  connectedSinceMs: number | null = 0;
  readonly #beats = new Map<HostId, BeatRecord>();
  #rollouts = 0;

  get live(): LiveFleet {
    return { connectedSinceMs: this.connectedSinceMs, beats: this.#beats };
  }

  get snapshot(): Snapshot {
    const snapshot = snapshotOf(this.state, this.live, this.service, this.nowMs);
    if (!snapshot) throw new Error("the scene has no service yet");
    return snapshot;
  }

  rollout(id = `r${this.#rollouts}`): RolloutRecord {
    const rollout = this.state.rollouts.get(RolloutId.parse(id));
    if (!rollout) throw new Error(`the scene has no rollout ${id}`);
    return rollout;
  }

  commit(bodies: readonly EventBody[], by = "test"): void {
    const first = firstSequence(this.state.sequence, bodies);
    for (const [index, body] of bodies.entries()) {
      const sequence = first + index;
      const at = new Date(Date.UTC(2026, 0, 1) + this.nowMs).toISOString();
      const event: LedgerEvent = { sequence, at, elapsedMs: this.nowMs, by, body };
      this.log.push(event);
      fold(this.state, event);
    }
  }

  declare(written: Partial<z.input<typeof SpecInput>> = {}): ServiceSpec {
    const spec = SpecInput.parse({
      name: "web",
      hosts: { match: { role: "web" } },
      run: { command: ["node", "server.mjs"] },
      ports: { blue: 8080, green: 8081 },
      health: { http: "/healthz", rise: 1 },
      capacity: { minServing: "50%" },
      edge: { match: { role: "edge" } },
      ...written,
    });
    const declared = declareService(this.state, written, spec);
    if (!declared.ok) throw new Error(declared.error.message);
    this.commit(declared.value);
    this.settle();
    return spec;
  }

  release(version: string): void {
    const digest = Digest.parse(
      `sha256:${Buffer.from(version).toString("hex").padStart(64, "0").slice(-64)}`,
    );
    this.commit([{ type: "artifact-registered", digest, sizeBytes: 1_000 }]);
    const registered = registerRelease(this.state, this.service, { version: Version.parse(version), digest });
    if (!registered.ok) throw new Error(registered.error.message);
    this.commit(registered.value.events);
  }

  join(id: string, role: "host" | "edge", labels: Labels = {}): void {
    const hostId = HostId.parse(id);
    const number = Number(id.replace(/\D/g, "")) + (role === "edge" ? 100 : 0);
    const address = `10.0.0.${number}` as Address;
    this.beat(hostId);
    this.commit([
      {
        type: "host-reported",
        hostId,
        incarnation: Incarnation.parse(`i-${id}`),
        full: true,
        facts: {
          agentVersion: "0.1.0",
          hostname: id,
          address,
          labels: { role: role === "edge" ? "edge" : "web", ...labels },
          roles: [role],
          edgeAddresses: role === "edge" ? [address] : [],
          epochSeen: 1,
          revisionSeen: 0,
          features: [...features],
          inventory: null,
        },
        instances: [],
        upstreams: [],
        voided: [],
      },
    ]);
  }

  /** The agent of a host reports another address. */
  move(id: string, network: string): void {
    this.restate(id, { address: `${network}.${id.replace(/\D/g, "")}` as Address });
  }

  /** An agent says something else of itself. */
  restate(id: string, change: Partial<HostFacts>): void {
    const host = this.state.hosts.get(HostId.parse(id));
    if (!host?.facts || !host.incarnation) throw new Error(`${id} has not joined`);
    const { hostId, incarnation } = host;
    const facts = { ...host.facts, ...change };
    const nothing = { instances: [], upstreams: [], voided: [] };
    this.commit([{ type: "host-reported", hostId, incarnation, full: false, facts, ...nothing }], id);
  }

  /** An agent has heard of this start of the control plane, and tells all that it knows. */
  answerEpoch(id: string): void {
    const host = this.state.hosts.get(HostId.parse(id));
    if (!host?.facts || !host.incarnation) throw new Error(`${id} has not joined`);
    const { hostId, incarnation } = host;
    const instances = Object.values(host.instances).flatMap(({ report }) => report ?? []);
    const upstreams = Object.values(host.upstreams);
    const facts = { ...host.facts, epochSeen: this.state.epoch };
    this.commit(
      [{ type: "host-reported", hostId, incarnation, full: true, facts, instances, upstreams, voided: [] }],
      id,
    );
  }

  /** An agent reports something else of its instance of the service. */
  say(id: string, change: Partial<InstanceReport>): void {
    const host = this.state.hosts.get(HostId.parse(id));
    const report = host?.instances[`${this.service}/blue`]?.report;
    if (!host || !report) throw new Error(`${id} has no instance`);
    this.#report(host, [{ ...report, ...change }], []);
  }

  /** The control plane has just started: nobody was heard yet. */
  forgetBeats(): void {
    this.#beats.clear();
  }

  /** Another agent is one with another incarnation, and another address. */
  beat(hostId: HostId, load: Beat["load"] = { cpu: 0.1, memory: 0.1 }, agent = `i-${hostId}`): void {
    const digest = Digest.parse(`sha256:${"0".repeat(64)}`);
    this.#beats.set(
      hostId,
      withBeat(this.#beats.get(hostId), {
        lastBeatMs: this.nowMs,
        intervalMs: 10_000,
        incarnation: Incarnation.parse(agent),
        address: this.state.hosts.get(hostId)?.facts?.address ?? null,
        stateDigest: digest,
        load,
        lastSeenAt: new Date(0).toISOString(),
      }),
    );
  }

  /** Lets time pass; hosts that are not silent go on beating. */
  pass(durationMs: number, load?: Beat["load"]): void {
    const endMs = this.nowMs + durationMs;
    while (this.nowMs < endMs) {
      this.nowMs = Math.min(endMs, this.nowMs + 10_000);
      for (const host of this.state.hosts.values()) {
        const { silent, cloned } = this.behaviours.get(host.hostId) ?? {};
        if (!silent) this.beat(host.hostId, load);
        if (!silent && cloned) this.beat(host.hostId, load, `i-${host.hostId}-clone`);
      }
    }
  }

  admit(body: z.input<typeof RolloutBody>) {
    const context = this.#nextRequest();
    const admitted = admitRollout(this.state, this.live, this.service, RolloutBody.parse(body), context);
    if (admitted.ok) this.commit(admitted.value, "alice");
    return admitted;
  }

  restart(body: RestartBody) {
    const admitted = admitRestart(this.state, this.live, this.service, body, this.#nextRequest());
    if (admitted.ok) this.commit(admitted.value, "alice");
    return admitted;
  }

  /** What REST would say of a request for the next rollout. */
  #nextRequest() {
    this.#rollouts += 1;
    const id = RolloutId.parse(`r${this.#rollouts}`);
    return { id, by: "alice", at: new Date(0).toISOString(), nowMs: this.nowMs, idempotencyKey: null };
  }

  rollBack(finished: RolloutRecord) {
    const context = this.#nextRequest();
    const admitted = admitRollback(this.state, this.live, finished, context);
    if (admitted.ok) this.commit(admitted.value, "alice");
    else this.#rollouts -= 1;
    return admitted;
  }

  exclude(id: string): void {
    const excluded = excludeEdge(this.state, HostId.parse(id), null);
    if (!excluded.ok) throw new Error(excluded.error.message);
    this.commit(excluded.value, "alice");
  }

  include(id: string): void {
    const included = includeEdge(this.state, HostId.parse(id));
    if (!included.ok) throw new Error(included.error.message);
    this.commit(included.value, "alice");
  }

  control(verb: ControlVerb) {
    const said = controlRollout(this.state, this.rollout().id, verb, { by: "alice" });
    if (said.ok) this.commit(said.value, "alice");
    return said;
  }

  /** One pass of the core; what it decided, committed. */
  decide(): readonly EventBody[] {
    const { events } = decide(this.state, this.live, this.nowMs);
    this.commit(events, "orchestrator");
    return events;
  }

  hold(id: string, kind: "drained" | "removed" = "drained") {
    const held = holdHost(this.state, HostId.parse(id), kind, null);
    if (held.ok) this.commit(held.value, "alice");
    return held;
  }

  letGo(id: string): void {
    const released = releaseHost(this.state, HostId.parse(id));
    if (!released.ok) throw new Error(released.error.message);
    this.commit(released.value, "alice");
  }

  /** Like settle, with what the fleet does of itself between rollouts. */
  converge(): void {
    for (let round = 0; round < 1_000; round += 1) {
      const { events } = decideAll(this.state, this.live, this.nowMs);
      this.commit(events, "orchestrator");
      if (events.length === 0 && !this.answer()) return;
    }
    throw new Error("the scene does not converge");
  }

  /** The hosts that the upstream lists, with their versions. */
  get listed(): readonly string[] {
    return this.snapshot.upstream.content.members.map(
      (member) => `${member.hostId}=${member.targetId.split("@")[0]}`,
    );
  }

  /** Decides and answers until nothing more happens. */
  settle(): void {
    for (let round = 0; round < 1_000; round += 1) {
      if (this.decide().length === 0 && !this.answer()) return;
    }
    throw new Error("the scene does not come to rest");
  }

  /** Every agent does what it was told last. True where somebody had something to say. */
  answer(): boolean {
    const before = this.state.sequence;
    for (const host of [...this.state.hosts.values()]) {
      const behaviour = this.behaviours.get(host.hostId) ?? {};
      if (behaviour.silent || behaviour.cloned) continue;
      if (host.facts?.roles.includes("edge")) this.#answerEdge(host);
      else for (const report of hostAnswers(host, behaviour)) this.#report(host, [report], []);
    }
    return this.state.sequence > before;
  }

  #answerEdge(edge: HostRecord): void {
    for (const upstream of this.state.upstreams.values()) {
      const answer = edgeAnswer(edge, upstream, this.behaviours);
      if (answer) this.#report(edge, [], [answer]);
    }
  }

  #report(host: HostRecord, instances: InstanceReport[], upstreams: UpstreamReport[]): void {
    const { hostId, incarnation, facts } = this.state.hosts.get(host.hostId) ?? host;
    if (!incarnation || !facts) throw new Error(`${hostId} reports before it has joined`);
    this.commit(
      [{ type: "host-reported", hostId, incarnation, full: false, facts, instances, upstreams, voided: [] }],
      hostId,
    );
  }
}

/** A scene with hosts, edges, a service and releases v1 and v2; v1 serves everywhere unless `deployed` is false. */
export function scene(
  options: {
    readonly hosts?: number;
    readonly edges?: number;
    readonly spec?: Partial<z.input<typeof SpecInput>>;
    readonly deployed?: boolean;
    /** Labels of each host, by its number. */
    readonly labels?: (host: number) => Labels;
  } = {},
): Scene {
  const stage = new Scene();
  for (let index = 1; index <= (options.hosts ?? 4); index += 1)
    stage.join(`h${index}`, "host", options.labels?.(index));
  for (let index = 1; index <= (options.edges ?? 1); index += 1) stage.join(`e${index}`, "edge");
  stage.declare(options.spec);
  stage.release("v1");
  stage.release("v2");
  if (options.deployed === false) return stage;
  const admitted = stage.admit({ version: "v1", strategy: { kind: "rolling", batchSize: 1_000 } });
  if (!admitted.ok) throw new Error(admitted.error.message);
  stage.settle();
  if (stage.rollout().status !== "succeeded")
    throw new Error(`v1 was not deployed: ${stage.rollout().status}`);
  return stage;
}
