import * as z from "zod";
import { Member } from "./command.ts";
import { HookName } from "./hooks.ts";
import {
  Address,
  CommandId,
  Digest,
  Epoch,
  HostId,
  Incarnation,
  Labels,
  Revision,
  ServiceName,
  Slot,
  TargetId,
  UpstreamName,
} from "./ids.ts";
import { protocolVersion } from "./message.ts";

/** Captured output is cut to its last 8 KB (design section 4). */
export const maxOutputBytes = 8_192;

/** Why a command, or the process that it started, failed. `output` is the end of what the service printed. */
export const StepFailure = z.object({
  code: z.string().max(64),
  message: z.string().max(4_096),
  output: z.string().max(maxOutputBytes).optional(),
});
export type StepFailure = z.infer<typeof StepFailure>;

/** How long the parts of a command took, in milliseconds of the agent's own monotonic clock: `drainMs`, `stopMs`, … */
export const Timings = z.record(z.string().regex(/^[a-zA-Z]{1,32}Ms$/), z.number().min(0));
export type Timings = z.infer<typeof Timings>;

/** How far the newest command of an instance has come. Restated with the same `commandId` as often as asked. */
export const CommandProgress = z.object({
  commandId: CommandId,
  kind: z.enum(["stage", "drain", "update", "verify", "rejoin", "revert", "restart", "hook"]),
  targetId: TargetId,
  status: z.enum(["running", "done", "failed"]),
  failure: StepFailure.optional(),
  /** While draining: connections from edges, and the other peers that are still connected. */
  inFlight: z.object({ count: z.int().min(0), others: z.array(Address) }).optional(),
  /** The hook of the command that runs at present. */
  hook: HookName.optional(),
  timings: Timings,
});
export type CommandProgress = z.infer<typeof CommandProgress>;

/** Everything that an agent knows of one instance. A newer one (by sequence) replaces an older one whole. */
export const InstanceReport = z.object({
  service: ServiceName,
  slot: Slot,
  /** The highest command revision accepted for this instance. */
  revision: Revision,
  command: CommandProgress.nullable(),
  /** Targets whose release is unpacked and verified on this host. */
  staged: z.array(TargetId),
  /** The target whose process runs; null when none does. */
  running: TargetId.nullable(),
  /** The agent's own check of the running process: unknown until it was asked. */
  health: z.enum(["unknown", "good", "bad"]),
  /** Why nothing runs, or why health is bad. */
  trouble: StepFailure.nullable(),
});
export type InstanceReport = z.infer<typeof InstanceReport>;

/** What an edge's probes say of one watched instance: good after `rise` good answers in a row. */
export const ProbeReport = z.object({
  hostId: HostId,
  slot: Slot,
  attempt: Revision,
  state: z.enum(["pending", "good", "bad"]),
  detail: z.string().max(1_024).optional(),
  /** From the first probe of the attempt to the `rise`th good answer. */
  tookMs: z.number().min(0).optional(),
});
export type ProbeReport = z.infer<typeof ProbeReport>;

/** A listed instance that an edge has taken out of its own list because its probes fail, and what they got. */
export const EjectedReport = z.object({ hostId: HostId, slot: Slot, detail: z.string().max(1_024) });
export type EjectedReport = z.infer<typeof EjectedReport>;

/** Everything that an edge knows of one upstream. */
export const UpstreamReport = z.object({
  upstream: UpstreamName,
  /** The highest revision accepted. */
  revision: Revision,
  /** What nginx serves for certain: confirmed, and every older worker gone. */
  serving: z.object({ revision: Revision, digest: Digest }).nullable(),
  /** Rendered, tested by nginx and not put into force: `commit` would serve it. Null where nothing is. */
  prepared: z.object({ revision: Revision, digest: Digest }).nullable().default(null),
  /** nginx says no to this revision, in its own words: only another revision helps. */
  refused: z.object({ revision: Revision, message: z.string().max(4_096) }).nullable(),
  /** This revision could not be served so far; the edge goes on trying. */
  trouble: z
    .object({ revision: Revision, message: z.string().max(4_096) })
    .nullable()
    .default(null),
  /** The edge's own count of what it rendered; grows with each reload. */
  generation: z.int().min(0),
  /** Reloads that revisions of this upstream caused since the agent's first start. */
  reloads: z.int().min(0),
  /** Reloads for ejections and readmissions alone, counted apart. */
  ejections: z.int().min(0).default(0),
  /** Listed by the ledger, and left out by this edge at present. */
  ejected: z.array(EjectedReport).default([]),
  /** So many of the listed fail at once that this edge does not believe its probes, and ejects nobody; else null. */
  panic: z.string().max(1_024).nullable().default(null),
  /** From writing the file to the last old worker's end, of the newest confirmed reload. */
  turnoverMs: z.number().min(0),
  probes: z.array(ProbeReport),
});
export type UpstreamReport = z.infer<typeof UpstreamReport>;

export const Role = z.enum(["host", "edge"]);
export type Role = z.infer<typeof Role>;

/** What a machine is made of: for people who look at the fleet, never for a decision. */
export const Inventory = z.object({
  os: z.string().max(255),
  kernel: z.string().max(255),
  arch: z.string().max(64),
  cpu: z.string().max(255),
  cores: z.int().min(0),
  memoryBytes: z.int().min(0),
});
export type Inventory = z.infer<typeof Inventory>;

/** What an agent says of itself: from its own config, and what it has seen. */
export const HostFacts = z.object({
  agentVersion: z.string().max(64),
  hostname: z.string().max(255),
  address: Address,
  labels: Labels,
  roles: z.array(Role).min(1),
  /** Local addresses of an edge's probe and proxy sockets: peers with these hold a drain. */
  edgeAddresses: z.array(Address),
  epochSeen: Epoch,
  revisionSeen: Revision,
  /** The parts of a target that this agent knows, see `features.ts`; one from before there were any announces none. */
  features: z.array(z.string().max(64)).max(256).default([]),
  /** Null until it was taken: it costs more than everything else at a start, and nobody waits for it. */
  inventory: Inventory.nullable().default(null),
});
export type HostFacts = z.infer<typeof HostFacts>;

const envelope = {
  v: z.literal(protocolVersion),
  hostId: HostId,
  incarnation: Incarnation,
  /** Grows with each report of one incarnation; an older one that arrives late is dropped. */
  sequence: z.int().min(1),
};

/** The newest list that an edge has accepted: what a control plane without it, since it was restored, has to go on from. */
export const AcceptedList = z.object({
  upstream: UpstreamName,
  revision: Revision,
  members: z.array(Member),
});
export type AcceptedList = z.infer<typeof AcceptedList>;

/**
 * State: `full` says everything (first on every connection, and when asked), else only what changed is listed.
 */
export const StateReport = z.object({
  ...envelope,
  kind: z.literal("state"),
  full: z.boolean(),
  facts: HostFacts,
  instances: z.array(InstanceReport),
  upstreams: z.array(UpstreamReport),
  /** In a full report of an edge; an older agent says none. No part of the digest: its revisions are. */
  lists: z.array(AcceptedList).default([]),
});
export type StateReport = z.infer<typeof StateReport>;

export const RefusalCode = z.enum([
  "stale-epoch",
  "foreign-control-plane",
  "stale-incarnation",
  "stale-revision",
  "digest-mismatch",
  "wrong-host",
  "wrong-role",
  "not-available-yet",
]);
export type RefusalCode = z.infer<typeof RefusalCode>;

/** A command that the agent did not accept, and why. */
export const RefusalReport = z.object({
  ...envelope,
  kind: z.literal("refused"),
  commandId: CommandId,
  code: RefusalCode,
  message: z.string().max(4_096),
});
export type RefusalReport = z.infer<typeof RefusalReport>;

export const Report = z.discriminatedUnion("kind", [StateReport, RefusalReport]);
export type Report = z.infer<typeof Report>;

/** Shares from 0 to 1, read from /proc; null where it could not be read yet. */
export const LoadSample = z.object({
  cpu: z.number().min(0).nullable(),
  memory: z.number().min(0).max(1).nullable(),
});
export type LoadSample = z.infer<typeof LoadSample>;

/** "I live": no event, memory only. `stateDigest` is that of the agent's full state. */
export const Beat = z.object({
  v: z.literal(protocolVersion),
  hostId: HostId,
  incarnation: Incarnation,
  stateDigest: Digest,
  intervalMs: z.int().min(1),
  load: LoadSample,
  /** Where it is: of two agents that claim one id, a person has to find the cloned one. Older agents do not say it. */
  address: Address.optional(),
  /** Why the agent can do nothing but say so: it can't write its journal. Such a beat is no sign of life. */
  trouble: z.string().max(4_096).optional(),
});
export type Beat = z.infer<typeof Beat>;
