import type { InstanceCommandBody, UpstreamContent } from "@siding/shared/command";
import type { HookName } from "@siding/shared/hooks";
import type {
  CommandId,
  ControlPlaneId,
  Digest,
  ServiceName,
  Slot,
  TargetId,
  UpstreamName,
} from "@siding/shared/ids";
import type { StepFailure, Timings } from "@siding/shared/report";
import type { Release, Target } from "@siding/shared/target";

/**
 * What survives a crash of the agent: everything that it promised, and what it needs to keep the promise. It is
 * written before anything else that a step does.
 *
 * Times are milliseconds of the machine's monotonic clock, which runs on while the agent is dead. `bootId` names
 * the clock: another one started at the last boot, so old times mean nothing.
 */
export interface Journal {
  readonly v: typeof journalVersion;
  readonly bootId: string;
  readonly controlPlane: ControlPlaneSeen | null;
  readonly instances: readonly InstanceJournal[];
  readonly upstreams: readonly UpstreamJournal[];
}

export const journalVersion = 1;

/** The newest control plane that gave a command; older ones, and another one of the same epoch, are refused. */
export interface ControlPlaneSeen {
  readonly epoch: number;
  readonly controlPlaneId: ControlPlaneId;
}

export interface InstanceJournal {
  readonly service: ServiceName;
  readonly slot: Slot;
  /** The newest accepted command, in hand or over. Its revision is the highest accepted one. */
  readonly command: AcceptedCommand | null;
  readonly wanted: Wanted | null;
  /** How often this instance was started; the newest start has this number. Counted before the start. */
  readonly starts: number;
  /** The newest start: what stopping and draining its process need to know. */
  readonly started: Started | null;
  /** The newest restart that was carried out: the same one asked for again is not done again. */
  readonly restarted: string | null;
  /** What it serves, and what it served before that: where a rollback goes. */
  readonly served: readonly Release[];
  /** Newest last. */
  readonly staged: readonly StagedTarget[];
  /** One-shots that were begun here, and what came of them; newest last. */
  readonly shots: readonly Shot[];
}

/** `running` is noted before it is begun, so that one which is found so after a crash may have been done or not. */
interface Shot {
  readonly shot: string;
  readonly outcome: Outcome;
}

/** The target whose process is kept running, also after a reboot. Only update and revert change it. */
export interface Wanted {
  readonly target: Target;
  /**
   * Set by rejoin: only what has served is started again when it ends by itself, since an end before that is
   * verify's answer.
   */
  readonly proven: boolean;
  /** The start that belongs to this wish; null until it is begun, so any running process is an older one. */
  readonly startId: number | null;
}

interface Started {
  readonly startId: number;
  readonly target: Target;
  /** As the driver named it; finds the process again where its marker is gone. Null until the start is confirmed. */
  readonly process: ProcessRef | null;
}

export interface StagedTarget {
  readonly targetId: TargetId;
  readonly release: Release;
}

export interface AcceptedCommand {
  readonly commandId: CommandId;
  readonly revision: number;
  readonly body: InstanceCommandBody;
  readonly deadlineMs: number;
  readonly acceptedAtMs: number;
  /** The time was counted anew once, after a boot: it is not given a third time. */
  readonly recounted: boolean;
  /** When its own work began, after the hook before it; null until then. */
  readonly begunAtMs: number | null;
  /** The hooks that were begun for it: noted before they are, so that a crash never runs one twice unnoticed. */
  readonly hooks: readonly HookRun[];
  readonly outcome: Outcome;
  readonly timings: Timings;
}

export interface HookRun {
  readonly hook: HookName;
  readonly attempt: number;
  readonly begunAtMs: number;
  /** It has ended well; one that failed ends its command. */
  readonly done: boolean;
}

export type Outcome =
  | { readonly kind: "running" }
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly failure: StepFailure };

/** A process as its driver names it (pid, start time and boot), so that a reused pid is another process. */
export type ProcessRef = string;

/** What is accepted; what nginx serves of it the edge remembers itself. */
export interface UpstreamJournal {
  readonly upstream: UpstreamName;
  readonly commandId: CommandId;
  /** The highest revision accepted, its digest and content. */
  readonly revision: number;
  readonly digest: Digest;
  readonly content: UpstreamContent;
}

export function emptyJournal(bootId: string): Journal {
  return { v: journalVersion, bootId, controlPlane: null, instances: [], upstreams: [] };
}
