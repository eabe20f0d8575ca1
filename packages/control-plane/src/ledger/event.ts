import { Member } from "@siding/shared/command";
import {
  CommandId,
  ControlPlaneId,
  Digest,
  HostId,
  Incarnation,
  RolloutId,
  ServiceName,
  Slot,
  UpstreamName,
  Version,
} from "@siding/shared/ids";
import { HostFacts, InstanceReport, RefusalCode, UpstreamReport } from "@siding/shared/report";
import { ServiceSpec } from "@siding/shared/spec";
import { AdoptedUnit, Target } from "@siding/shared/target";
import { z } from "zod";
import { Action } from "../rollout/action.ts";
import { RolloutRecord } from "../rollout/record.ts";

/**
 * Everything that changes the domain. The actions of the pure core are events as they stand; the others come from
 * people (REST), from agents (reports) and from our own start.
 */
export const OutsideEvent = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("control-plane-started"),
    epoch: z.int(),
    controlPlaneId: ControlPlaneId,
    version: z.string(),
  }),
  /** `specRevision` grows only where the rolled-out part changed; `written` is what the person sent. */
  z.object({
    type: z.literal("service-declared"),
    spec: ServiceSpec,
    written: z.record(z.string(), z.unknown()),
    specRevision: z.int(),
  }),
  z.object({ type: z.literal("artifact-registered"), digest: Digest, sizeBytes: z.int() }),
  z.object({
    type: z.literal("release-registered"),
    service: ServiceName,
    version: Version,
    digest: Digest,
    sizeBytes: z.int(),
    adopts: AdoptedUnit.optional(),
  }),
  z.object({
    type: z.literal("rollout-created"),
    rollout: RolloutRecord,
    idempotencyKey: z.object({ key: z.string(), requestDigest: Digest }).nullable(),
  }),
  /** A queued rollout's turn has come: its plan is made for the fleet as it is now. */
  z.object({ type: z.literal("rollout-started"), rollout: RolloutRecord }),
  /** A person cuts the bake of the newest batch short. */
  z.object({ type: z.literal("rollout-promoted"), rolloutId: RolloutId }),
  /**
   * An agent's report said something new. `full` replaces everything that was known of it; `voided` are commands that
   * its new incarnation never heard of.
   */
  z.object({
    type: z.literal("host-reported"),
    hostId: HostId,
    incarnation: Incarnation,
    full: z.boolean(),
    facts: HostFacts,
    instances: z.array(InstanceReport),
    upstreams: z.array(UpstreamReport),
    voided: z.array(z.object({ service: ServiceName, slot: Slot, commandId: CommandId })),
  }),
  /** A person takes a host out of traffic, or out of the fleet: rollouts never undo that. */
  z.object({
    type: z.literal("host-held"),
    hostId: HostId,
    kind: z.enum(["drained", "removed"]),
    comment: z.string().nullable(),
  }),
  z.object({ type: z.literal("host-released"), hostId: HostId }),
  /** A person goes on without an edge that does not answer, knowing that it may still route to hosts that we stop. */
  z.object({ type: z.literal("edge-excluded"), hostId: HostId, comment: z.string().nullable() }),
  /** It counts again with its next confirmation of what is wanted now. */
  z.object({ type: z.literal("edge-included"), hostId: HostId }),
  /** Agents have seen more than this ledger ever said (a restored backup): from here on a higher epoch holds. */
  z.object({
    type: z.literal("fleet-ahead"),
    hostId: HostId,
    epochSeen: z.int(),
    revisionSeen: z.int(),
    epoch: z.int(),
  }),
  /** A person has looked at a ledger that is behind, and the fleet goes on as it is. */
  z.object({ type: z.literal("fleet-resumed"), comment: z.string().nullable() }),
  /** What an instance serves, taken over from its agent by a ledger that is behind. */
  z.object({
    type: z.literal("instance-observed"),
    hostId: HostId,
    service: ServiceName,
    slot: Slot,
    target: Target,
  }),
  /** The newest list that an edge has accepted, from a time that a restored ledger knows nothing of. */
  z.object({
    type: z.literal("upstream-observed"),
    upstream: UpstreamName,
    revision: z.int(),
    members: z.array(Member),
  }),
  z.object({
    type: z.literal("command-refused"),
    hostId: HostId,
    commandId: CommandId,
    code: RefusalCode,
    message: z.string(),
  }),
]);
export type OutsideEvent = z.infer<typeof OutsideEvent>;

export const EventBody = z.union([Action, OutsideEvent]);
export type EventBody = z.infer<typeof EventBody>;

/** An event as it stands in the log. */
export interface LedgerEvent {
  /** Its place in the log, and the revision of what it says. */
  readonly sequence: number;
  /** Wall clock, RFC 3339: for people only. */
  readonly at: string;
  /** The ledger's clock: elapsed milliseconds over all starts; deadlines are counted in it. */
  readonly elapsedMs: number;
  readonly by: string;
  readonly body: EventBody;
}

/** What agents say again by themselves, and what follows from that alone: a power cut may take it. */
const foundOutAgain: ReadonlySet<EventBody["type"]> = new Set([
  "host-reported",
  "phase-changed",
  "status-changed",
]);

/** Whether an event need not be durable before something is said or done because of it. */
export function isFoundOutAgain({ body }: LedgerEvent): boolean {
  return foundOutAgain.has(body.type);
}

/** Where the next events begin: one after the other, but above every revision that the fleet has seen elsewhere. */
export function firstSequence(expected: number, [first]: readonly EventBody[]): number {
  return Math.max(expected, first?.type === "fleet-ahead" ? first.revisionSeen : 0) + 1;
}

/** The rollout that an event belongs to; null for the fleet's own. */
export function rolloutOf(body: EventBody): RolloutId | null {
  if (body.type === "rollout-created" || body.type === "rollout-started") return body.rollout.id;
  return "rolloutId" in body ? body.rolloutId : null;
}
