import type { InstanceCommandKind, UpstreamContent } from "@siding/shared/command";
import type { EdgeCheck } from "@siding/shared/health";
import type { HookName } from "@siding/shared/hooks";
import type { Address, Digest, ServiceName, Slot, TargetId, UpstreamName } from "@siding/shared/ids";
import type { Report } from "@siding/shared/report";
import type { Release, Target } from "@siding/shared/target";
import type { Journal, ProcessRef } from "./journal.ts";

/** Names one asked effect, so that an answer to one that is no longer wanted is told apart. */
export type OpId = string;

/** Which instance of this host. */
export interface InstanceRef {
  readonly service: ServiceName;
  readonly slot: Slot;
}

/** A process of this agent that outlived it. */
export interface FoundProcess extends InstanceRef {
  readonly targetId: TargetId;
  readonly startId: number;
  readonly process: ProcessRef;
}

/** Whom a probe's answer is for: an instance of this host, or one that this edge watches or has listed. */
export type ProbeOwner =
  | ({ readonly kind: "instance" } & InstanceRef)
  | { readonly kind: "watched" | "listed"; readonly upstream: UpstreamName; readonly key: string };

/**
 * What a step wants done, in this order. `write-journal` is first where there is one, and is durable before any
 * other of the same step is begun. Each effect with an `op` is answered by exactly one event with that `op`.
 */
export type Effect = Durable | Said | HostEffect | Probe | EdgeEffect;
export type EffectKind = Effect["kind"];

type Durable = { readonly kind: "write-journal"; readonly journal: Journal };

/** Messages. They are only said while connected; nobody waits for them. */
type Said =
  | { readonly kind: "send-report"; readonly report: Report }
  | { readonly kind: "send-beat"; readonly stateDigest: Digest; readonly intervalMs: number };

export type HostEffect =
  /** Find this agent's processes (`known` ones also without their mark) and releases again. Answer: `adopted`. */
  | { readonly kind: "adopt"; readonly op: OpId; readonly known: readonly FoundProcess[] }
  /**
   * Ask whether this host would run the target, then fetch, verify and unpack; at once where that is done already.
   * Answer: `staged`.
   */
  | ({ readonly kind: "stage-release"; readonly op: OpId; readonly target: Target } & InstanceRef)
  /** Give a staging up; its answer still comes. */
  | { readonly kind: "cancel-stage"; readonly op: OpId }
  /** Delete the releases of a service that are not in `keep`. No answer: what stays costs only space. */
  | { readonly kind: "prune-releases"; readonly service: ServiceName; readonly keep: readonly Release[] }
  /** Established connections on the port, by peer. Answer: `connections-counted`. */
  | ({
      readonly kind: "count-connections";
      readonly op: OpId;
      readonly process: ProcessRef;
      readonly port: number;
    } & InstanceRef)
  /** SIGTERM, the grace, SIGKILL. Answer: `process-stopped`, when nothing of it is left. */
  | ({
      readonly kind: "stop-process";
      readonly op: OpId;
      readonly process: ProcessRef;
      readonly graceMs: number;
    } & InstanceRef)
  /**
   * Link the slot to the release, check that the port is free, start. Answer: `process-started`; then, when it
   * ends, `process-exited`.
   */
  | ({
      readonly kind: "start-process";
      readonly op: OpId;
      readonly startId: number;
      readonly target: Target;
      readonly port: number;
    } & InstanceRef)
  /** Run this hook of the target to its end, or to its timeout's. Answer: `hook-ended`, when nothing of it is left. */
  | ({ readonly kind: "run-hook"; readonly op: OpId } & HookCall & InstanceRef)
  /** End a hook that nobody wants any more; its answer still comes. */
  | { readonly kind: "cancel-hook"; readonly op: OpId }
  /**
   * Run the target's health command beside the process; an earlier run of the same instance is ended first. Answer:
   * `probed`.
   */
  | ({
      readonly kind: "run-check";
      readonly op: OpId;
      readonly target: Target;
      readonly port: number;
      readonly process: ProcessRef;
      readonly command: readonly string[];
      readonly timeoutMs: number;
    } & InstanceRef);

/** One run of a hook. */
export interface HookCall {
  readonly hook: HookName;
  readonly target: Target;
  /** The command that it belongs to. */
  readonly step: InstanceCommandKind;
  /** The same for every attempt. */
  readonly runId: string;
  readonly attempt: number;
}

/** What a probe asks `address:port`: `GET http`, or only whether it takes a connection. */
export type Question = { readonly http: string } | { readonly tcp: true };

/** Ask once, on a connection of its own. Answer: `probed`. */
type Probe = {
  readonly kind: "probe";
  readonly op: OpId;
  readonly owner: ProbeOwner;
  readonly address: Address;
  readonly port: number;
  readonly question: Question;
  readonly timeoutMs: number;
};

export function questionOf(check: EdgeCheck): Question {
  return "http" in check ? { http: check.http } : { tcp: true };
}

/** What nginx is to serve of one upstream. */
export interface ListToServe {
  readonly content: UpstreamContent;
  readonly revision: number;
  /** Members that are left out, as `hostId/slot`; never all. */
  readonly ejected: readonly string[];
}

export type EdgeEffect =
  /**
   * Take the inner nginx over where it runs; else start one that serves these lists from its first request on. Null:
   * start none. Answer: `edge-started`.
   */
  | { readonly kind: "start-edge"; readonly op: OpId; readonly lists: readonly ListToServe[] | null }
  /** Make nginx serve this less the ejected, for certain, or keep what it serves. Answer: `upstream-applied`. */
  | ({ readonly kind: "apply-upstream"; readonly op: OpId } & ListToServe)
  /** Have nginx test this without serving it. Answer: `upstream-prepared`. */
  | {
      readonly kind: "prepare-upstream";
      readonly op: OpId;
      readonly content: UpstreamContent;
      readonly ejected: readonly string[];
    }
  /** Bring a dead inner nginx back without losing a request. Answer: `edge-recovered`. */
  | { readonly kind: "recover-edge"; readonly op: OpId };
