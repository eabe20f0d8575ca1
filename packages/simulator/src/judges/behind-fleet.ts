import type { LedgerEvent } from "@siding/control-plane/ledger/event";
import type { ServiceName, TargetId } from "@siding/shared/ids";
import { makeTarget } from "@siding/shared/target";
import type { Evidence } from "../evidence/evidence.ts";
import type { Fact } from "../fact.ts";
import type { JudgeMaker } from "./judge.ts";

type Body = LedgerEvent["body"];

/**
 * Design section 4: a ledger that was restored from a backup learns from the agents that it is behind. It goes on above
 * everything that they have seen, takes over what they serve, and moves nobody before a person has looked.
 */
export const behindFleet: JudgeMaker = () => {
  let known = new KnownTargets([]);
  return {
    name: "behind-fleet",
    rule: "section 4",
    observe(fact, _truth, evidence) {
      if (fact.kind === "ledger-restored") known = new KnownTargets(fact.kept);
      if (fact.kind !== "event") return null;
      const { sequence, body } = fact.event;
      const verdict =
        tooLow(sequence, body, evidence) ?? moves(fact, evidence) ?? dropped(body, evidence, known);
      known.take(body);
      return verdict;
    },
  };
};

/** From this event on nothing may mean two things. */
function tooLow(sequence: number, body: Body, evidence: Evidence): string | null {
  if (body.type === "fleet-ahead") {
    const low = body.epoch <= body.epochSeen || sequence <= body.revisionSeen;
    return low ? `epoch ${body.epoch}, revision ${sequence}: ${body.hostId} has seen more` : null;
  }
  if (body.type !== "host-reported") return null;
  const { epochSeen, revisionSeen } = body.facts;
  return epochSeen > evidence.epoch || revisionSeen >= sequence
    ? `${body.hostId} has seen epoch ${epochSeen}, revision ${revisionSeen}; the log goes on at ${evidence.epoch}, ${sequence}`
    : null;
}

function moves({ event }: Extract<Fact, { kind: "event" }>, evidence: Evidence): string | null {
  if (!evidence.isBehind) return null;
  const { body } = event;
  if (body.type === "batch-started") return `${body.hosts.join(", ")} leave, and nobody has looked yet`;
  if (body.type !== "rollout-created" || body.rollout.origin === "person") return null;
  return `the fleet begins ${body.rollout.id} of itself, and nobody has looked yet`;
}

/** What an agent says that it serves is in the log before its report is. */
function dropped(body: Body, evidence: Evidence, known: KnownTargets): string | null {
  if (body.type !== "host-reported" || !evidence.isBehind) return null;
  for (const { service, running, health, command } of body.instances) {
    // It was told that it had joined, and nothing since.
    const settled = health === "good" && command?.kind === "rejoin";
    const served = evidence.services.get(service)?.served.get(body.hostId);
    if (!settled || running === null || served === running || !known.has(running)) continue;
    return `${body.hostId} serves ${running}, the log goes on with ${served ?? "nothing"}`;
  }
  return null;
}

/** Targets that the log has whole: those of its rollouts, and every release with the present spec. */
class KnownTargets {
  readonly #targets = new Set<TargetId>();
  readonly #releases: Extract<Body, { type: "release-registered" }>[] = [];
  readonly #specs = new Map<ServiceName, Extract<Body, { type: "service-declared" }>>();

  constructor(log: readonly LedgerEvent[]) {
    for (const { body } of log) this.take(body);
  }

  has(id: TargetId): boolean {
    return this.#targets.has(id) || this.#present().has(id);
  }

  take(body: Body): void {
    if (body.type === "rollout-created") this.#targets.add(body.rollout.to.id);
    if (body.type === "release-registered") this.#releases.push(body);
    if (body.type === "service-declared") this.#specs.set(body.spec.name, body);
  }

  #present(): ReadonlySet<TargetId> {
    const targets = this.#releases.flatMap(({ service, version, digest, sizeBytes }) => {
      const declared = this.#specs.get(service);
      if (!declared) return [];
      return [makeTarget({ version, digest, sizeBytes }, declared.specRevision, declared.spec.target).id];
    });
    return new Set(targets);
  }
}
