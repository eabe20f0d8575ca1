import type { ProbeAnswer } from "@siding/agent/machine/event";
import type { HostId, ServiceName, Slot, TargetId } from "@siding/shared/ids";
import { type Conduct, readyAfterMs } from "./conduct.ts";

/** A process of the service on one host, as it really is. */
export interface ServiceProcess {
  readonly ref: string;
  readonly service: ServiceName;
  readonly slot: Slot;
  readonly targetId: TargetId;
  readonly startId: number;
  readonly port: number;
  readonly conduct: Conduct;
  readonly startedAtMs: number;
  /** The one before it on this host ended by itself or by a fault: nobody here asked for the gap. */
  readonly afterFault: boolean;
  /** SIGTERM has come: it takes no new request, and finishes those it has. */
  stopping: boolean;
  /** A fault makes it answer 500 until then. */
  sickUntilMs: number;
}

/** A machine, as whoever asks one of its ports knows it. */
export interface Listener {
  readonly hostId: HostId;
  listenerOn(port: number): ServiceProcess | null;
}

/** Whether it has ever answered well; what goes wrong after that is not for want of verification. */
export function hasBeenWell(process: ServiceProcess, nowMs: number): boolean {
  return nowMs >= process.startedAtMs + readyAfterMs(process.conduct);
}

export function isWell(process: ServiceProcess, nowMs: number): boolean {
  return !process.stopping && hasBeenWell(process, nowMs) && nowMs >= process.sickUntilMs;
}

/** What a probe or a request gets. `local`: asked from its own host. */
export function answerOf(process: ServiceProcess | null, local: boolean, nowMs: number): ProbeAnswer {
  if (process === null || process.stopping || (!local && process.conduct.kind === "loopback-only")) {
    return { kind: "refused", message: "connection refused" };
  }
  if (isWell(process, nowMs)) return { kind: "status", status: 200 };
  const { conduct } = process;
  if (conduct.kind === "never-healthy") {
    return conduct.answers === "500" ? { kind: "status", status: 500 } : { kind: "timeout" };
  }
  return hasBeenWell(process, nowMs)
    ? { kind: "status", status: 500 }
    : { kind: "refused", message: "connection refused" };
}
