import type { LedgerEvent } from "@siding/control-plane/ledger/event";
import type { HostId, ServiceName } from "@siding/shared/ids";
import { HostEvidence, type Reported } from "./host-evidence.ts";
import { givesUp, type OfRollout, RolloutEvidence } from "./rollout-evidence.ts";
import { ServiceEvidence } from "./service-evidence.ts";

type Body = LedgerEvent["body"];
type BodyOf<Type extends Body["type"]> = Extract<Body, { type: Type }>;

/**
 * What the log says, read by the judges' own eyes: a second, plain reading of the events, so that a mistake in the
 * production fold is not repeated here. It is up to date with every event before the one that is being judged.
 */
export class Evidence {
  sequence = 0;
  epoch = 0;
  /** The fleet has shown that it has seen more than the log says, and no person has looked yet. */
  isBehind = false;
  readonly hosts = new Map<HostId, HostEvidence>();
  readonly services = new Map<ServiceName, ServiceEvidence>();
  readonly rollouts = new Map<string, RolloutEvidence>();

  take({ sequence, body, by }: LedgerEvent): void {
    this.sequence = sequence;
    this.#fleet(sequence, body);
    this.#rollout(body, by);
    if (body.type === "service-declared") this.#declared(body);
    if (body.type === "upstream-revised") this.services.get(body.service)?.revised(sequence, body);
    if (body.type === "upstream-observed") this.#observed(body);
    if (body.type === "command-issued") this.host(body.hostId).of(body.service).issued(sequence, body);
    if (body.type === "instance-observed") {
      const service = this.services.get(body.service);
      service?.served.set(body.hostId, body.target.id);
      service?.imported.set(body.hostId, body.target.id);
    }
  }

  #observed(body: BodyOf<"upstream-observed">): void {
    const all = [...this.services.values()];
    all.find(({ spec }) => spec.edge.upstream === body.upstream)?.observed(body);
  }

  host(hostId: HostId): HostEvidence {
    const known = this.hosts.get(hostId) ?? new HostEvidence();
    this.hosts.set(hostId, known);
    return known;
  }

  /** The service that an event is about; null for what concerns the fleet. */
  serviceOf(body: Body): ServiceEvidence | null {
    if ("service" in body) return this.services.get(body.service) ?? null;
    const rollout = "rolloutId" in body ? this.rollouts.get(body.rolloutId) : undefined;
    return rollout ? (this.services.get(rollout.service) ?? null) : null;
  }

  #fleet(sequence: number, body: Body): void {
    if (body.type === "control-plane-started") this.epoch = body.epoch;
    if (body.type === "fleet-ahead") {
      this.epoch = body.epoch;
      this.isBehind = true;
    }
    if (body.type === "fleet-resumed") this.isBehind = false;
    if (body.type === "host-reported") this.#reported(sequence, body);
    if (body.type === "host-held") this.host(body.hostId).hold = body.kind;
    if (body.type === "host-released") this.host(body.hostId).hold = null;
    for (const service of this.services.values()) {
      if (body.type === "edge-excluded") service.edge(body.hostId).exclude();
      if (body.type === "edge-included") {
        service.edge(body.hostId).include(sequence, this.isBehind ? null : service.wanted.revision);
      }
    }
  }

  #rollout(body: Body, by: string): void {
    if (body.type === "rollout-created" || body.type === "rollout-started") {
      const rollout = new RolloutEvidence(body.rollout);
      const service = this.services.get(rollout.service);
      this.rollouts.set(rollout.id, rollout);
      service?.began(rollout);
      this.#leaves(service, body.rollout.plan.absent);
      if (rollout.origin === "person") this.isBehind = false;
    }
    if (!("rolloutId" in body)) return;
    const says = body.type === "intent-set" || body.type === "rollout-finished";
    if (says && by === "person") this.isBehind = false;
    const rollout = this.rollouts.get(body.rolloutId);
    rollout?.take(body, by);
    if (rollout) this.#course(body, rollout);
  }

  #course(body: OfRollout, rollout: RolloutEvidence): void {
    const service = this.services.get(rollout.service);
    if (body.type === "rollout-planned") {
      this.#leaves(service, body.plan.absent);
      service?.planned(rollout);
    }
    if (body.type === "host-settled" && body.on) service?.served.set(body.hostId, body.on.id);
    if (givesUp(body)) this.#leaves(service, [body.hostId]);
    if (body.type === "rollout-finished") service?.finished(rollout);
  }

  #leaves(service: ServiceEvidence | undefined, absent: readonly HostId[]): void {
    for (const hostId of absent) service?.leftOut.add(hostId);
  }

  #declared(body: BodyOf<"service-declared">): void {
    const known = this.services.get(body.spec.name);
    if (known) {
      known.spec = body.spec;
      known.specRevision = body.specRevision;
      return;
    }
    const service = new ServiceEvidence(body, this.hosts);
    this.services.set(body.spec.name, service);
  }

  #reported(sequence: number, body: Reported): void {
    this.host(body.hostId).reported(body);
    if (!body.facts.roles.includes("edge")) return;
    for (const service of this.services.values()) {
      const edge = service.edge(body.hostId);
      const report = body.upstreams.find(({ upstream }) => upstream === service.spec.edge.upstream);
      // What a ledger wants that is behind may long be otherwise: no edge begins to count for it.
      if (report) edge.reported(sequence, this.isBehind ? null : service.wanted.revision, report);
    }
  }
}
