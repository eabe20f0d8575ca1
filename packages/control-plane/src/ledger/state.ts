import { InstanceCommandBody, Member, UpstreamContent } from "@siding/shared/command";
import { HookName } from "@siding/shared/hooks";
import {
  CommandId,
  type ControlPlaneId,
  Digest,
  HostId,
  Incarnation,
  RolloutId,
  ServiceName,
  Slot,
  UpstreamName,
  Version,
} from "@siding/shared/ids";
import { HostFacts, InstanceReport, StepFailure, UpstreamReport } from "@siding/shared/report";
import { ServiceSpec } from "@siding/shared/spec";
import { AdoptedUnit, Target } from "@siding/shared/target";
import { z } from "zod";
import type { RolloutRecord } from "../rollout/record.ts";
import { RecordMap } from "./record-map.ts";

/** The newest command to an instance, and how far the reports say it has come. */
export const CommandRecord = z.object({
  commandId: CommandId,
  rolloutId: RolloutId,
  service: ServiceName,
  slot: Slot,
  revision: z.int(),
  body: InstanceCommandBody,
  issuedAtMs: z.number(),
  deadlineMs: z.int(),
  status: z.enum(["issued", "running", "done", "failed", "void"]),
  settledAtMs: z.number().nullable(),
  failure: StepFailure.nullable(),
  /** The hook that its agent says it runs, and when it said so first. */
  hook: z.object({ name: HookName, sinceMs: z.number() }).nullable().default(null),
});
export type CommandRecord = z.infer<typeof CommandRecord>;

/** What the ledger holds of one instance: what it wants of it, and what its agent said of it. */
export const InstanceRecord = z.object({
  service: ServiceName,
  slot: Slot,
  target: Target.nullable(),
  drained: z.boolean(),
  command: CommandRecord.nullable(),
  report: InstanceReport.nullable(),
});
export type InstanceRecord = z.infer<typeof InstanceRecord>;

export const HostRecord = z.object({
  hostId: HostId,
  incarnation: Incarnation.nullable(),
  facts: HostFacts.nullable(),
  /**
   * The newest start of ours of which it had heard when it told everything: a report of what has changed since says nothing of
   * the rest, and may be all that came through.
   */
  toldEpoch: z.int().default(0),
  /** Keyed by `service/slot`. */
  instances: z.record(z.string(), InstanceRecord),
  /** The edge role's upstreams, by name. */
  upstreams: z.record(z.string(), UpstreamReport),
  /** Upstreams that this edge has confirmed at least once: from then on it counts. */
  counted: z.array(UpstreamName),
  /** By upstream, the event from which on it counts: whoever was out then it may never have routed to. */
  countedSince: z.record(z.string(), z.int()).default({}),
  /** A person holds this host out of traffic; `removed`: out of the fleet. */
  hold: z
    .object({
      kind: z.enum(["drained", "removed"]),
      by: z.string(),
      at: z.string(),
      comment: z.string().nullable(),
    })
    .nullable(),
  /** A person has excluded this edge: it is told everything, and nobody waits for it. */
  excluded: z.object({ by: z.string(), at: z.string(), comment: z.string().nullable() }).nullable(),
  /** Ledger clock of the newest report: an older beat says nothing about what it told. */
  reportedAtMs: z.number(),
});
export type HostRecord = z.infer<typeof HostRecord>;

export const ServiceRecord = z.object({
  spec: ServiceSpec,
  written: z.record(z.string(), z.unknown()),
  specRevision: z.int(),
  /** What its hosts are to serve: the target of the newest rollout that succeeded. */
  target: Target.nullable(),
  /** The rollout that is not finished; at most one at a time. */
  activeRollout: RolloutId.nullable(),
  /** The rollout that waits for that one; at most one. */
  queuedRollout: RolloutId.nullable(),
});
export type ServiceRecord = z.infer<typeof ServiceRecord>;

export const ReleaseRecord = z.object({
  service: ServiceName,
  version: Version,
  digest: Digest,
  sizeBytes: z.int(),
  adopts: AdoptedUnit.optional(),
  createdAt: z.string(),
});
export type ReleaseRecord = z.infer<typeof ReleaseRecord>;

export const ArtifactRecord = z.object({ digest: Digest, sizeBytes: z.int() });
export type ArtifactRecord = z.infer<typeof ArtifactRecord>;

export const UpstreamRecord = z.object({
  service: ServiceName,
  revision: z.int(),
  revisedAtMs: z.number(),
  digest: Digest,
  content: UpstreamContent,
  history: z.array(z.object({ revision: z.int(), members: z.array(Member) })),
  /** The newest list that an edge has from a time of which this ledger knows nothing, as it was restored. */
  observed: z
    .object({ revision: z.int(), members: z.array(Member) })
    .nullable()
    .default(null),
  /** The newest revision is one that these edges take together: when all had prepared it, when the first served it. */
  swap: z
    .object({
      edges: z.array(HostId),
      committedAtMs: z.number().nullable(),
      firstServedAtMs: z.number().nullable(),
    })
    .nullable()
    .default(null),
});
export type UpstreamRecord = z.infer<typeof UpstreamRecord>;

/** Answers that were given for an `Idempotency-Key`. */
export const IdempotencyRecord = z.object({ rolloutId: RolloutId, requestDigest: Digest });
export type IdempotencyRecord = z.infer<typeof IdempotencyRecord>;

/** What an agent had seen when it showed that this ledger is older than its fleet. */
export const Behind = z.object({ hostId: HostId, epochSeen: z.int(), revisionSeen: z.int(), at: z.string() });
export type Behind = z.infer<typeof Behind>;

/**
 * The domain as the log says it. Records are immutable and replaced whole; the maps belong to the fold alone.
 * Everything here can be made again from the events.
 */
export interface LedgerState {
  sequence: number;
  elapsedMs: number;
  epoch: number;
  controlPlaneId: ControlPlaneId | null;
  /** Older than the fleet, by what this host has seen; until a person goes on: resumes the fleet, or says something to a rollout. */
  behind: Behind | null;
  /** The one that began when that was noticed last; 0: never. Whoever has not heard of it is known from the backup alone. */
  restoredEpoch: number;
  readonly hosts: RecordMap<HostId, HostRecord>;
  readonly services: Map<ServiceName, ServiceRecord>;
  /** By `service/version`. */
  readonly releases: Map<string, ReleaseRecord>;
  readonly artifacts: Map<Digest, ArtifactRecord>;
  readonly upstreams: Map<UpstreamName, UpstreamRecord>;
  readonly rollouts: Map<RolloutId, RolloutRecord>;
  readonly idempotency: Map<string, IdempotencyRecord>;
}

export function emptyState(): LedgerState {
  return {
    sequence: 0,
    elapsedMs: 0,
    epoch: 0,
    controlPlaneId: null,
    behind: null,
    restoredEpoch: 0,
    hosts: new RecordMap(),
    services: new Map(),
    releases: new Map(),
    artifacts: new Map(),
    upstreams: new Map(),
    rollouts: new Map(),
    idempotency: new Map(),
  };
}

export function instanceSlotKey(service: ServiceName, slot: Slot): string {
  return `${service}/${slot}`;
}

export function releaseKey(service: ServiceName, version: Version): string {
  return `${service}/${version}`;
}

export function emptyHost(hostId: HostId): HostRecord {
  return {
    hostId,
    incarnation: null,
    facts: null,
    toldEpoch: 0,
    instances: {},
    upstreams: {},
    counted: [],
    countedSince: {},
    excluded: null,
    hold: null,
    reportedAtMs: 0,
  };
}

export function emptyInstance(service: ServiceName, slot: Slot): InstanceRecord {
  return { service, slot, target: null, drained: false, command: null, report: null };
}

/** Which records an event replaced or removed: what the tables must store again in the same transaction. */
export interface Touched {
  readonly table: TableName;
  readonly key: string;
}

export type TableName =
  | "hosts"
  | "services"
  | "releases"
  | "artifacts"
  | "upstreams"
  | "rollouts"
  | "idempotency";
