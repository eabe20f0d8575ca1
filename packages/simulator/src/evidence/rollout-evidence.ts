import type { LedgerEvent } from "@siding/control-plane/ledger/event";
import type { RolloutRecord } from "@siding/control-plane/rollout/record";
import type { HostId, ServiceName, TargetId } from "@siding/shared/ids";

type Body = LedgerEvent["body"];
export type OfRollout = Extract<Body, { rolloutId: string }>;

/** From here on the host is left out of traffic. */
export function givesUp(
  body: OfRollout,
): body is Extract<OfRollout, { type: "host-failed" | "host-settled" }> {
  return (body.type === "host-failed" && !body.back) || (body.type === "host-settled" && !body.on);
}

/** What the log has of one rollout. */
export class RolloutEvidence {
  readonly id: string;
  readonly service: ServiceName;
  readonly origin: RolloutRecord["origin"];
  readonly to: TargetId;
  readonly maxFailures: number;
  /** A person wanted it in order to move hosts elsewhere, and not only to restart them. */
  readonly isMove: boolean;
  /** It takes back a finished one, and touches only whom that moved. */
  readonly isUndo: boolean;
  /** A person said that the service may be down for a moment. */
  readonly allowsDowntime: boolean;
  readonly from = new Map<HostId, TargetId | null>();
  absent: readonly HostId[];
  /** Hosts that some plan of this rollout left aside, since they could not be commanded. */
  readonly leftAside = new Set<HostId>();
  planKind: "forward" | "return" | "rollback";
  /** Where the newest plan sends each of its hosts. */
  readonly goals = new Map<HostId, TargetId | null>();
  isFinished = false;
  status: string;
  /** Hosts that were taken out of traffic at some time. */
  readonly touched = new Set<HostId>();
  /** Hosts that were counted as failed, and those that could not be reached. */
  readonly failed = new Set<HostId>();
  readonly unreachable = new Set<HostId>();
  /** Hosts that this rollout gave up on: it ends with them out of traffic. */
  readonly givenUp = new Set<HostId>();
  accepted = 0;
  /** The ledger that has it is a backup: its hosts may have gone elsewhere since. */
  isFromBackup = false;
  /** Why it does not go on, or why it ended, in codes. */
  reasons: readonly string[] = [];

  constructor(rollout: RolloutRecord) {
    this.id = rollout.id;
    this.service = rollout.service;
    this.origin = rollout.origin;
    this.isMove = rollout.origin === "person" && rollout.purpose === "rollout";
    this.to = rollout.to.id;
    this.maxFailures = rollout.maxFailures;
    this.isUndo = rollout.comment?.startsWith("rollback of ") ?? false;
    const { strategy } = rollout;
    this.allowsDowntime = strategy.kind !== "in-place" && strategy.allowDowntime;
    this.absent = rollout.plan.absent;
    this.planKind = rollout.plan.kind;
    this.status = rollout.status;
    for (const host of rollout.plan.hosts) this.from.set(host.hostId, host.from?.id ?? null);
    this.#plans(rollout.plan);
  }

  take(body: OfRollout, by: string): void {
    if (givesUp(body)) this.givenUp.add(body.hostId);
    switch (body.type) {
      case "rollout-planned":
        this.planKind = body.plan.kind;
        this.absent = body.plan.absent;
        for (const hostId of this.absent) this.leftAside.add(hostId);
        this.#plans(body.plan);
        return;
      case "batch-started":
        for (const hostId of body.hosts) this.touched.add(hostId);
        return;
      case "host-failed":
        (body.counts ? this.failed : this.unreachable).add(body.hostId);
        return;
      case "intent-set":
        if (body.intent === "forward" && by !== "orchestrator") this.accepted = this.failed.size;
        return;
      case "status-changed":
        this.status = body.status;
        this.reasons = body.waiting.map(({ code }) => code);
        return;
      case "rollout-finished":
        this.status = body.status;
        this.reasons = body.cause ? [body.cause.code] : [];
        this.isFinished = true;
        return;
      case "host-settled":
      case "rollout-promoted":
      case "rollout-hook-started":
      case "rollout-hook-ended":
      case "batch-finished":
      case "command-issued":
      case "phase-changed":
        return;
    }
  }

  #plans({ hosts }: RolloutRecord["plan"]): void {
    this.goals.clear();
    for (const { hostId, goal } of hosts) this.goals.set(hostId, goal?.id ?? null);
  }
}
