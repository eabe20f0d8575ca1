import { defaults } from "@siding/shared/defaults";
import type { HostId } from "@siding/shared/ids";
import type { Fact } from "../fact.ts";
import type { Truth } from "../truth.ts";
import type { Evidence } from "./evidence.ts";
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
      return judged(fact.event.body, ears, truth, evidence);
    },
  };
};

type Body = Extract<Fact, { kind: "event" }>["event"]["body"];

function judged(body: Body, ears: Ears, truth: Truth, evidence: Evidence): string | null {
  if (body.type === "batch-started") return unseen(ears, truth, evidence);
  if (body.type === "host-failed" && body.counts) {
    return isReported(body.hostId, evidence)
      ? null
      : `${body.hostId} is counted as failed (${body.failure.message}), which nobody reported`;
  }
  if (body.type !== "intent-set" || (body.intent !== "rollback" && body.intent !== "stop")) return null;
  const refused = [...evidence.edges.values()].some((edge) => edge.refused !== null);
  const hookFailed = [...evidence.hosts.values()].some(({ report }) => {
    return report?.command?.kind === "hook" && report.command.status === "failed";
  });
  if ((evidence.rollout?.failed.size ?? 0) > 0 || refused || hookFailed) return null;
  return `${body.intent} is begun (${body.cause?.message ?? "?"}) though nothing has failed`;
}

function unseen(ears: Ears, truth: Truth, evidence: Evidence): string | null {
  if (ears.sinceMs === null) return "a batch leaves while the control plane hears nobody";
  const known = [...evidence.hosts].filter(([, host]) => host.isKnown).map(([hostId]) => hostId);
  const silent = known.filter((hostId) => !ears.hears(hostId, truth.nowMs));
  const lost = known.filter((hostId) => ears.hasLost(hostId, truth.nowMs));
  if (lost.length >= 3 && lost.length * 10 > known.length * 3) {
    return `a batch leaves while ${lost.length} of ${known.length} agents are silent together`;
  }
  const { rollout } = evidence;
  if (rollout?.planKind !== "forward") return null;
  const matters = silent.find((hostId) => rollout.from.has(hostId) && !rollout.absent.includes(hostId));
  return matters ? `a batch leaves while ${matters} is not heard` : null;
}

/** Somebody said so: the agent of a failed step or an ill or ended service, an edge of what it can't reach. */
function isReported(hostId: HostId, evidence: Evidence): boolean {
  const { report } = evidence.host(hostId);
  const failed = report?.command?.status === "failed";
  const ill = report !== null && (report.health === "bad" || report.running === null);
  const restarted = report?.command?.kind === "verify" && report.running !== report.command.targetId;
  return failed || ill || restarted || evidence.probesOf(hostId).some((probe) => probe.state === "bad");
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
