import * as z from "zod";
import { asSent } from "./as-sent.ts";
import { EdgeCheck } from "./health.ts";
import { HookName } from "./hooks.ts";
import {
  Address,
  CommandId,
  ControlPlaneId,
  Digest,
  Epoch,
  HostId,
  Incarnation,
  Port,
  Revision,
  ServiceName,
  Slot,
  TargetId,
  UpstreamName,
  Weight,
} from "./ids.ts";
import { protocolVersion } from "./message.ts";
import { Balance } from "./spec.ts";
import { Target } from "./target.ts";

/** What every command carries (design section 6). `deadlineMs` is a duration from its arrival at the agent. */
const envelope = {
  v: z.literal(protocolVersion),
  commandId: CommandId,
  hostId: HostId,
  epoch: Epoch,
  controlPlaneId: ControlPlaneId,
  incarnation: Incarnation,
  revision: Revision,
  deadlineMs: z.int().min(0),
};

const instance = { service: ServiceName, slot: Slot };

/** The bodies of the host role's commands: what to do to one instance. */
export const InstanceCommandBody = z.discriminatedUnion("kind", [
  /** Fetch, verify and unpack the target's release; the running one is not touched. */
  z.object({ kind: z.literal("stage"), target: Target }),
  /** Wait until nothing from `edges` (their addresses) is in flight on the instance's address and port. */
  z.object({
    kind: z.literal("drain"),
    target: Target,
    edges: z.array(Address),
  }),
  /** Stop, switch the slot's link, start. Fails where the release is not staged. */
  z.object({ kind: z.literal("update"), target: Target }),
  /**
   * Be healthy `rise` times within the grace, then stay so for `holdMs`. Cancels a drain. `attempt` is that of the
   * edges, which watch the same start at the same time.
   */
  z.object({ kind: z.literal("verify"), target: Target, holdMs: z.int().min(0), attempt: Revision }),
  /** The instance serves: every counted edge confirmed. */
  z.object({ kind: z.literal("rejoin"), target: Target }),
  /** Like update, to the target that the instance came from. */
  z.object({ kind: z.literal("revert"), target: Target }),
  /**
   * Stop what runs and start it again, once: `shot` names the restart whatever command asks for it, so that the agent
   * answers a second one with what came of the first.
   */
  z.object({ kind: z.literal("restart"), target: Target, shot: z.string().max(128) }),
  /** Run this hook of the target, once: a one-shot as a restart is. */
  z.object({ kind: z.literal("hook"), target: Target, hook: HookName, shot: z.string().max(128) }),
]);
export type InstanceCommandBody = z.infer<typeof InstanceCommandBody>;
export type InstanceCommandKind = InstanceCommandBody["kind"];

/** One instance in an upstream: an address that an edge routes to, and the target it was verified on. */
export const Member = z.object({
  hostId: HostId,
  slot: Slot,
  targetId: TargetId,
  address: Address,
  port: Port,
  /** Its host's share of the requests where balancing is `weighted`; left out it is 1. */
  weight: Weight.optional(),
});
export type Member = z.infer<typeof Member>;

/**
 * One instance that an edge probes before it is listed. `attempt` names the start that is verified (the revision of what
 * brought it about): another attempt starts its count of good answers anew.
 */
export const Watched = Member.extend({ attempt: Revision });
export type Watched = z.infer<typeof Watched>;

/**
 * What a revision of an upstream says. Its digest is that of this object (canonical JSON) as it was sent, so what is added
 * later is optional and has no default.
 */
export const UpstreamContent = asSent(
  z.object({
    upstream: UpstreamName,
    /** Left out it is HTTP. */
    protocol: z.literal("tcp").optional(),
    members: z.array(Member),
    shares: z.array(z.unknown()).max(0),
    balance: Balance,
    watch: z.array(Watched),
    /** How the edges ask each target that is listed or watched: two targets may be asked differently. */
    checks: z.record(TargetId, EdgeCheck),
  }),
);
export type UpstreamContent = z.infer<typeof UpstreamContent>;

export const ApplyRevision = z.object({
  ...envelope,
  kind: z.literal("apply-revision"),
  /** `prepare`: render and test, change nothing. `commit`: serve it. `discard`: forget what was prepared. */
  step: z.enum(["prepare", "commit", "discard"]),
  digest: Digest,
  content: UpstreamContent,
});
export type ApplyRevision = z.infer<typeof ApplyRevision>;

/** Asks for the whole state, and tells the agent the epoch: sent at each start and when a beat's digest differs. */
export const Sync = z.object({ ...envelope, kind: z.literal("sync") });
export type Sync = z.infer<typeof Sync>;

export const InstanceCommand = z.intersection(z.object({ ...envelope, ...instance }), InstanceCommandBody);
export type InstanceCommand = z.infer<typeof InstanceCommand>;

/** Every command that an agent understands. */
export const Command = z.union([ApplyRevision, Sync, InstanceCommand]);
export type Command = z.infer<typeof Command>;
