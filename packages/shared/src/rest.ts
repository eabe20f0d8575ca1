import * as z from "zod";
import { notYet } from "./availability.ts";
import { HookName } from "./hooks.ts";
import { Address, Digest, HostId, Labels, RolloutId, ServiceName, Slot, TargetId, Version } from "./ids.ts";
import { HostPhase, RolloutStatus, WaitingCode } from "./phases.ts";
import { Inventory, LoadSample, StepFailure, Timings } from "./report.ts";
import { OnFailure, StrategyInput } from "./spec.ts";
import { AdoptedUnit } from "./target.ts";
import { AmountInput, Duration } from "./units.ts";

/** RFC 3339, as REST writes every instant. */
const Instant = z.iso.datetime();

const maxUrlLength = 2_048;

/** Where an artifact lies. Whoever may read a release reads this too, so it holds no password. */
const ArtifactUrl = z
  .url({ protocol: /^https?$/, error: "an address that begins with http:// or https://" })
  .max(maxUrlLength)
  .refine((url) => {
    const { username, password } = new URL(url);
    return username === "" && password === "";
  }, "no user name or password: fetch it yourself and upload it with POST /v1/artifacts");

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, "the 64 lower-case hexadecimal digits of sha256sum");

/** An artifact that was uploaded, by its digest; or one that the control plane fetches, once, and what it must be. */
const ArtifactSource = z
  .strictObject({ digest: Digest.optional(), url: ArtifactUrl.optional(), sha256: Sha256.optional() })
  .superRefine(({ digest, url, sha256 }, context) => {
    const complain = (key: string, message: string) =>
      context.addIssue({ code: "custom", path: [key], message });
    if (digest === undefined && url === undefined) {
      complain("digest", "missing; the digest that POST /v1/artifacts answered with, or url and sha256");
    }
    if (digest !== undefined && url !== undefined) complain("url", "either this or digest");
    if (url !== undefined && sha256 === undefined)
      complain("sha256", "missing; what sha256sum says of the file");
    if (url === undefined && sha256 !== undefined) complain("sha256", "only with url");
  });

/** The version of what was there before Siding. */
const adoptedVersion = "adopted";

/** Body of `POST /v1/services/{service}/releases`: an artifact, or a unit that runs on the hosts already. */
export const ReleaseBody = z
  .strictObject({ version: Version, artifact: ArtifactSource.optional(), adopt: AdoptedUnit.optional() })
  .superRefine(({ version, artifact, adopt }, context) => {
    const complain = (key: string, message: string) =>
      context.addIssue({ code: "custom", path: [key], message });
    if (artifact === undefined && adopt === undefined) {
      complain("artifact", "missing; or adopt: the unit that runs already");
    }
    if (artifact !== undefined && adopt !== undefined) complain("adopt", "either this or artifact");
    if (adopt !== undefined && version !== adoptedVersion) {
      complain("version", `'${adoptedVersion}', for a unit that is adopted`);
    }
  });
export type ReleaseBody = z.infer<typeof ReleaseBody>;

export const ReleaseDocument = z.object({
  service: ServiceName,
  version: Version,
  digest: Digest,
  size: z.int(),
  /** The unit that this release is, where it has no artifact. */
  adopts: z.string().optional(),
  createdAt: Instant,
});
export type ReleaseDocument = z.infer<typeof ReleaseDocument>;

/** Answer of `POST /v1/artifacts`. */
export const ArtifactDocument = z.object({ digest: Digest, size: z.int() });

/** Body of `POST /v1/services/{service}/rollouts`. */
export const RolloutBody = z.strictObject({
  version: Version.optional(),
  strategy: StrategyInput.optional(),
  verifyHold: Duration.optional(),
  bakeTime: Duration.optional(),
  maxFailures: AmountInput.optional(),
  onFailure: OnFailure.optional(),
  comment: z.string().max(1_000).optional(),
  gates: notYet("gates ask for approval, a time window or an analysis before the next batch"),
  /** Wait for the rollout that runs, instead of being refused. One waits at most; a later one takes its place. */
  queue: z.boolean().optional(),
});
export type RolloutBody = z.infer<typeof RolloutBody>;

/** Body of `POST /v1/services/{service}/restart`; without `hosts`, all that serve it. */
export const RestartBody = z.strictObject({
  hosts: z.array(HostId).min(1).optional(),
  verifyHold: Duration.optional(),
  bakeTime: Duration.optional(),
  maxFailures: AmountInput.optional(),
  comment: z.string().max(1_000).optional(),
  queue: z.boolean().optional(),
});
export type RestartBody = z.infer<typeof RestartBody>;

/** Body of `POST /v1/hosts/{id}/restart`. */
export const HostRestartBody = RestartBody.omit({ hosts: true, maxFailures: true }).extend({
  service: ServiceName,
});

/** Optional body of pause, abort, rollback and the other controls: who reads the history wants to know why. */
export const ControlBody = z.strictObject({ comment: z.string().max(1_000).optional() });

/** A target in an answer. */
const TargetDocument = z.object({
  id: TargetId,
  version: Version,
  digest: Digest,
  specRevision: z.int(),
});

/** Where the hook that runs once in a rollout stands. `unknown`: nobody knows how it ended; a person decides. */
const RolloutHookDocument = z.object({
  hostId: HostId.nullable(),
  status: z.enum(["due", "running", "done", "failed", "unknown"]),
  error: StepFailure.optional(),
});

const RolloutHost = z.object({
  hostId: HostId,
  slot: Slot,
  batch: z.int().nullable(),
  phase: HostPhase,
  since: Instant,
  from: TargetId.nullable(),
  timings: Timings,
  error: StepFailure.optional(),
});

/** `ownMs` = `wallMs` less the longest of each part that nginx, the service or its clients need (design section 12). */
export const BatchTimes = z.object({
  index: z.int(),
  hosts: z.array(HostId),
  wallMs: z.number().nullable(),
  ownMs: z.number().nullable(),
  parts: Timings,
});
export type BatchTimes = z.infer<typeof BatchTimes>;

export const RolloutDocument = z.object({
  id: RolloutId,
  service: ServiceName,
  /** `restart`: hosts run again what they run. Of the fleet itself, between rollouts: `bring-in` and `take-out` of one host. */
  purpose: z.enum(["rollout", "restart", "bring-in", "take-out"]),
  from: z.array(TargetDocument),
  to: TargetDocument,
  strategy: z.record(z.string(), z.unknown()),
  status: RolloutStatus,
  cause: z.object({ code: z.string(), message: z.string() }).optional(),
  plan: z.object({
    batches: z.array(z.array(HostId)),
    absent: z.array(HostId),
    minServing: z.int(),
    base: z.int(),
  }),
  /** Left out where the target has no such hook, or this rollout does not run it. */
  beforeRollout: RolloutHookDocument.optional(),
  hosts: z.array(RolloutHost),
  batches: z.array(BatchTimes),
  waiting: z.array(
    z.object({
      code: WaitingCode,
      message: z.string(),
      hostId: z.string().optional(),
      since: Instant.optional(),
      until: Instant.optional(),
      /** So many further hosts wait for the same. */
      more: z.int().optional(),
    }),
  ),
  explanation: z.string(),
  /** The same in parts: what it is doing, why it waits, what failed, what happens next; empty where there is nothing. */
  story: z.object({ doing: z.string(), waits: z.string(), failures: z.string(), next: z.string() }),
  failures: z.int(),
  maxFailures: z.int(),
  reloads: z.record(z.string(), z.int()),
  /** In-place over several edges: from the first to the last that served the other half. Null where there was no swap. */
  swapSpreadMs: z.number().nullable(),
  comment: z.string().optional(),
  createdAt: Instant,
  createdBy: z.string(),
  finishedAt: Instant.optional(),
});
export type RolloutDocument = z.infer<typeof RolloutDocument>;

/** Answer of `POST /v1/services/{service}/rollouts/preview`. `refusals` are empty where it could start now. */
export const PreviewDocument = z.object({
  service: ServiceName,
  to: TargetDocument,
  strategy: z.string(),
  plan: z.object({
    batches: z.array(z.array(HostId)),
    absent: z.array(HostId),
    minServing: z.int(),
    base: z.int(),
  }),
  servingNow: z.int(),
  /** The fewest that serve while the largest batch is out. */
  lowestServing: z.int(),
  reloadsPerEdge: z.int(),
  /** From the times of earlier rollouts; null before there are any. */
  predictedMs: z.number().nullable(),
  /** The user's programs that would be run, and where: on each host, or once. */
  hooks: z.array(z.object({ hook: HookName, on: z.string(), timeoutMs: z.int() })),
  refusals: z.array(z.object({ code: z.string(), message: z.string() })),
});
export type PreviewDocument = z.infer<typeof PreviewDocument>;

export const Liveness = z.enum(["unknown", "alive", "silent"]);

export const HostDocument = z.object({
  id: HostId,
  address: Address.nullable(),
  labels: Labels,
  roles: z.array(z.string()),
  /** A person holds it out of traffic (`drained`) or out of the fleet (`removed`). */
  hold: z
    .object({
      kind: z.enum(["drained", "removed"]),
      by: z.string(),
      at: Instant,
      comment: z.string().nullable(),
    })
    .nullable(),
  liveness: Liveness,
  /** What its agent says of why it can do nothing at present: its journal can't be written. */
  trouble: z.string().nullable(),
  /** Two agents beat under this id, one of them cloned: nothing is sent to it. Who they are, and what to do. */
  conflict: z.object({ since: Instant, message: z.string() }).nullable(),
  since: Instant.nullable(),
  lastSeen: Instant.nullable(),
  load: LoadSample.nullable(),
  agentVersion: z.string().nullable(),
  inventory: Inventory.nullable(),
  instances: z.array(
    z.object({
      service: ServiceName,
      slot: Slot,
      target: TargetId.nullable(),
      version: Version.nullable(),
      state: z.string(),
      health: z.enum(["unknown", "good", "bad"]),
      listed: z.boolean(),
      trouble: StepFailure.nullable(),
    }),
  ),
});
export type HostDocument = z.infer<typeof HostDocument>;

export const EdgeDocument = z.object({
  id: HostId,
  address: Address.nullable(),
  labels: Labels,
  liveness: Liveness,
  lastSeen: Instant.nullable(),
  counted: z.boolean(),
  /** A person goes on without it: it may still route to hosts that are stopped. */
  excluded: z.object({ by: z.string(), at: Instant, comment: z.string().nullable() }).nullable(),
  upstreams: z.array(
    z.object({
      upstream: z.string(),
      service: ServiceName,
      wanted: z.int(),
      serving: z.int().nullable(),
      members: z.array(z.string()),
      /** Members that the edge has left out because its own probes fail, and what they got. */
      ejected: z.array(z.object({ instance: z.string(), detail: z.string() })),
      /** Why the edge ejects nobody although more than half fail; null where that is not so. */
      panic: z.string().nullable(),
      reloads: z.int(),
      /** Reloads for ejections and readmissions alone. */
      ejections: z.int(),
      refused: z.string().nullable(),
      trouble: z.string().nullable(),
    }),
  ),
});
export type EdgeDocument = z.infer<typeof EdgeDocument>;

export const ServiceDocument = z.object({
  name: ServiceName,
  specRevision: z.int(),
  spec: z.record(z.string(), z.unknown()),
  hosts: z.array(HostId),
  edges: z.array(HostId),
  serving: z.array(z.object({ target: TargetId, version: Version, hosts: z.int() })),
  rollout: RolloutId.nullable(),
  releases: z.array(Version),
});
export type ServiceDocument = z.infer<typeof ServiceDocument>;

export const FleetSummary = z.object({
  summary: z.object({
    hosts: z.int(),
    alive: z.int(),
    silent: z.int(),
    unknown: z.int(),
    edges: z.int(),
    /** Ids that two agents claim. */
    conflicts: z.int(),
    services: z.int(),
    rollouts: z.int(),
    instances: z.int(),
    /** Instances that an upstream lists. */
    listed: z.int(),
    /** Instances by state: `serving`, `draining`, … */
    states: z.record(z.string(), z.int()),
  }),
  blind: z.boolean(),
  /** The ledger is older than its fleet (a restored backup): what a person has to know; null: it is not. */
  behind: z.string().nullable(),
});
export type FleetSummary = z.infer<typeof FleetSummary>;

/** The summary counts every host; `matching` those that the query asks for, `hosts` is one page of them. */
export const FleetDocument = z.object({
  ...FleetSummary.shape,
  matching: z.int(),
  hosts: z.array(HostDocument),
  next: z.string().optional(),
});
export type FleetDocument = z.infer<typeof FleetDocument>;

/** Every list of the API. */
export function listOf<S extends z.ZodType>(item: S) {
  return z.object({ items: z.array(item), next: z.string().optional() });
}
