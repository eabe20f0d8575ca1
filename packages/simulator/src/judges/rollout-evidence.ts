import type { LedgerEvent } from "@siding/control-plane/ledger/event";
import type { RolloutRecord } from "@siding/control-plane/rollout/record";
import type { HostId, TargetId } from "@siding/shared/ids";

type Body = LedgerEvent["body"];
type OfRollout = Extract<Body, { rolloutId: string }>;

/** What the log has of the newest rollout. */
export class RolloutEvidence {
  readonly id: string;
  readonly to: TargetId;
  readonly maxFailures: number;
  readonly from = new Map<HostId, TargetId | null>();
  absent: readonly HostId[];
  /** Hosts that some plan of this rollout left aside, since they could not be commanded. */
  readonly leftAside = new Set<HostId>();
  planKind: "forward" | "return" | "rollback";
  isFinished = false;
  status: string;
  /** Hosts that were taken out of traffic at some time. */
  readonly touched = new Set<HostId>();
  /** Hosts that were counted as failed, and those that could not be reached. */
  readonly failed = new Set<HostId>();
  readonly unreachable = new Set<HostId>();
  accepted = 0;

  constructor(rollout: RolloutRecord) {
    this.id = rollout.id;
    this.to = rollout.to.id;
    this.maxFailures = rollout.maxFailures;
    this.absent = rollout.plan.absent;
    this.planKind = rollout.plan.kind;
    this.status = rollout.status;
    for (const host of rollout.plan.hosts) this.from.set(host.hostId, host.from?.id ?? null);
  }

  take(body: OfRollout, by: string): void {
    switch (body.type) {
      case "rollout-planned":
        this.planKind = body.plan.kind;
        this.absent = body.plan.absent;
        for (const hostId of this.absent) this.leftAside.add(hostId);
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
        return;
      case "rollout-finished":
        this.status = body.status;
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
}
