import type { Command } from "@siding/shared/command";
import type { HookName } from "@siding/shared/hooks";
import type { Address, Digest, ServiceName, UpstreamName, Version } from "@siding/shared/ids";
import type { Inventory, StepFailure } from "@siding/shared/report";
import type { Result } from "@siding/shared/result";
import type { FoundProcess, InstanceRef, OpId, ProbeOwner } from "./effect.ts";
import type { ProcessRef } from "./journal.ts";

/** Everything that can happen to an agent. */
export type Event =
  /** A parsed command from NATS. */
  | { readonly kind: "command"; readonly command: Command }
  /** NATS is (again) there; `beatOffset` from 0 to 1 spreads a fleet's beats over their interval. */
  | { readonly kind: "connected"; readonly beatOffset: number }
  | { readonly kind: "disconnected" }
  /** The instant that the last step asked for as `wakeAtMs` has come. Harmless at any other time. */
  | { readonly kind: "tick" }
  /** The machine was looked over, some while after the start. */
  | { readonly kind: "inventoried"; readonly inventory: Inventory }
  | HostEvent
  | { readonly kind: "probed"; readonly owner: ProbeOwner; readonly op: OpId; readonly answer: ProbeAnswer }
  | EdgeEvent;

export type HostEvent =
  | {
      readonly kind: "adopted";
      readonly op: OpId;
      readonly processes: readonly FoundProcess[];
      readonly releases: readonly FoundRelease[];
    }
  | ({
      readonly kind: "staged";
      readonly op: OpId;
      readonly result: Result<null, StageFailure>;
    } & InstanceRef)
  | ({
      readonly kind: "connections-counted";
      readonly op: OpId;
      readonly result: Result<readonly PeerCount[], StepFailure>;
    } & InstanceRef)
  | ({
      readonly kind: "process-stopped";
      readonly op: OpId;
      readonly result: Result<null, StepFailure>;
    } & InstanceRef)
  | ({
      readonly kind: "process-started";
      readonly op: OpId;
      readonly result: Result<ProcessRef, StepFailure>;
    } & InstanceRef)
  | ({
      readonly kind: "hook-ended";
      readonly op: OpId;
      readonly hook: HookName;
      readonly result: Result<null, StepFailure>;
    } & InstanceRef)
  /** A started or adopted process is gone, whoever ended it. Never before its `process-started`. */
  | ({ readonly kind: "process-exited"; readonly startId: number; readonly exit: ProcessExit } & InstanceRef);

export type EdgeEvent =
  | {
      readonly kind: "edge-started";
      readonly op: OpId;
      readonly result: Result<EdgeStart, StepFailure>;
    }
  | {
      readonly kind: "upstream-applied";
      readonly op: OpId;
      readonly upstream: UpstreamName;
      readonly result: Result<ServedRevision, ApplyFailure>;
    }
  | {
      readonly kind: "upstream-prepared";
      readonly op: OpId;
      readonly upstream: UpstreamName;
      readonly result: Result<null, ApplyFailure>;
    }
  | { readonly kind: "edge-recovered"; readonly op: OpId; readonly result: Result<null, StepFailure> }
  /** The inner nginx's master is gone and nobody asked for it. */
  | { readonly kind: "edge-down"; readonly message: string };

/** `cold`: no nginx runs and none was to be started, so that nobody is served what was confirmed last. */
export interface EdgeStart {
  readonly kind: "serving" | "cold";
  readonly confirmed: readonly ServedRevision[];
}

export interface FoundRelease {
  readonly service: ServiceName;
  readonly version: Version;
  readonly digest: Digest;
}

/**
 * `retry`: `until-deadline` for what heals by itself (nobody answers), `few` for what may (a transfer that broke off),
 * `never` for what another try can't change.
 */
export interface StageFailure {
  readonly failure: StepFailure;
  readonly retry: "until-deadline" | "few" | "never";
  /** Asked to wait that long before the next try; left out, the machine's own wait. */
  readonly afterMs?: number;
}

export interface PeerCount {
  readonly address: Address;
  readonly count: number;
}

/** Code and signal are both null where the process was adopted, so that nobody could wait for it. */
export interface ProcessExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** The end of what it printed. */
  readonly output: string;
  /** What else its driver knows of the end, as the rest of a sentence. */
  readonly note?: string;
}

/** `output` is the end of what a health command printed. */
export type ProbeAnswer =
  | { readonly kind: "status"; readonly status: number }
  | { readonly kind: "connected" }
  | {
      readonly kind: "exit";
      readonly code: number | null;
      readonly signal: string | null;
      readonly output: string;
    }
  | { readonly kind: "refused"; readonly message: string }
  | { readonly kind: "timeout"; readonly output?: string }
  | { readonly kind: "error"; readonly message: string };

/** What nginx serves of an upstream for certain, and what its reloads cost. Survives restarts of the agent. */
export interface ServedRevision {
  readonly upstream: UpstreamName;
  readonly revision: number;
  readonly digest: Digest;
  readonly generation: number;
  readonly reloads: number;
  readonly turnoverMs: number;
  /** Members of the revision that nginx was not given, as `hostId/slot`, in order. */
  readonly ejected: readonly string[];
  /** Reloads that only changed `ejected`; `reloads` does not count them. */
  readonly ejections: number;
}

/**
 * `refused`: nginx says no to this content, so that only another revision helps. `trouble`: it may go well later.
 */
export interface ApplyFailure {
  readonly kind: "refused" | "trouble";
  readonly message: string;
}
