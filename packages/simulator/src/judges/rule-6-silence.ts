import { defaults } from "@siding/shared/defaults";
import type { HostId } from "@siding/shared/ids";
import type { Evidence } from "../evidence/evidence.ts";
import type { ServiceEvidence } from "../evidence/service-evidence.ts";
import type { Fact } from "../fact.ts";
import type { Truth } from "../truth.ts";
import type { JudgeMaker } from "./judge.ts";

/** The ledger's clock counts whole milliseconds. */
const roundingMs = 2;

/**
 * Rule 6: unknown is not down. While a host that matters, or so many that we must be blind, was not heard of for three
 * beats, no batch leaves; a failure is something that was reported, and silence starts no way back.
 */
export const silence: JudgeMaker = () => {
  const ears = new Ears();
  return {
    name: "silence",
    rule: "rule 6",
    observe(fact, truth, evidence) {
      ears.hear(fact, truth.nowMs);
      if (fact.kind !== "event" || fact.event.by !== "orchestrator") return null;
      const service = evidence.serviceOf(fact.event.body);
      return service && judged(fact.event.body, ears, truth, { evidence, service });
    },
  };
};

type Body = Extract<Fact, { kind: "event" }>["event"]["body"];
interface Known {
  readonly evidence: Evidence;
  readonly service: ServiceEvidence;
}

function judged(body: Body, ears: Ears, truth: Truth, known: Known): string | null {
  const { service } = known;
  if (body.type === "batch-started") return unseen(ears, truth, known);
  if (body.type === "host-failed" && body.counts) {
    return isReported(body.hostId, service)
      ? null
      : `${body.hostId} is counted as failed (${body.failure.message}), which nobody reported`;
  }
  if (body.type !== "intent-set" || (body.intent !== "rollback" && body.intent !== "stop")) return null;
  const refused = [...service.edges.values()].some((edge) => edge.refused !== null);
  const hookFailed = [...known.evidence.hosts.keys()].some((hostId) => {
    const command = service.instance(hostId)?.report?.command;
    return command?.kind === "hook" && command.status === "failed";
  });
  if ((service.rollout?.failed.size ?? 0) > 0 || refused || hookFailed) return null;
  return `${body.intent} is begun (${body.cause?.message ?? "?"}) though nothing has failed`;
}

function unseen(ears: Ears, truth: Truth, { evidence, service }: Known): string | null {
  if (ears.sinceMs === null) return "a batch leaves while the control plane hears nobody";
  // Whom a person has taken out may be switched off.
  const known = [...evidence.hosts]
    .filter(([, host]) => host.isKnown && host.hold === null)
    .map(([hostId]) => hostId);
  const silent = known.filter((hostId) => !ears.hears(hostId, truth.nowMs));
  const lost = known.filter((hostId) => ears.hasLost(hostId, truth.nowMs));
  if (lost.length >= 3 && lost.length * 10 > known.length * 3) {
    return `a batch leaves while ${lost.length} of ${known.length} agents are silent together`;
  }
  const { rollout } = service;
  if (rollout?.planKind !== "forward") return null;
  const matters = silent.find((hostId) => rollout.from.has(hostId) && !rollout.absent.includes(hostId));
  return matters ? `a batch leaves while ${matters} is not heard` : null;
}

/** Somebody said so: the agent of a failed step or an ill or ended service, an edge of what it can't reach. */
function isReported(hostId: HostId, service: ServiceEvidence): boolean {
  const report = service.instance(hostId)?.report ?? null;
  const failed = report?.command?.status === "failed";
  const ill = report !== null && (report.health === "bad" || report.running === null);
  const restarted = report?.command?.kind === "verify" && report.running !== report.command.targetId;
  return failed || ill || restarted || service.probesOf(hostId).some((probe) => probe.state === "bad");
}

/** When each host was last heard, in this life and connection of the control plane. */
class Ears {
  sinceMs: number | null = null;
  readonly #heardMs = new Map<HostId, number>();

  hear(fact: Fact, nowMs: number): void {
    if (fact.kind === "listening") this.sinceMs = nowMs;
    if (fact.kind === "deaf") this.sinceMs = null;
    if (fact.kind === "beat-heard") this.#heardMs.set(fact.hostId, nowMs);
  }

  hears(hostId: HostId, nowMs: number): boolean {
    const heardMs = this.#heardMs.get(hostId);
    return (
      heardMs !== undefined &&
      heardMs + roundingMs >= (this.sinceMs ?? nowMs) &&
      nowMs - heardMs <= lostAfterMs
    );
  }

  /** Silent for so long that it can't be put down to our own start. */
  hasLost(hostId: HostId, nowMs: number): boolean {
    const heardMs = Math.max(this.#heardMs.get(hostId) ?? 0, this.sinceMs ?? nowMs);
    return nowMs - heardMs > lostAfterMs;
  }
}

const lostAfterMs = defaults.beatIntervalMs * defaults.lostAfterBeats + roundingMs;
