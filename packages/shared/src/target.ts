import * as z from "zod";
import { HealthSpec } from "./health.ts";
import { HooksSpec } from "./hooks.ts";
import { Digest, Port, type Slot, TargetId, Version } from "./ids.ts";

/** A unit of the host's own that is no template, such as `shop.service`. */
export const AdoptedUnit = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9:_.@-]{0,200}(?<!@)\.service$/, "a unit's name, such as shop.service");

/**
 * An immutable release: a version and the digest of its artifact. One that `adopts` has no artifact: it is a unit of the
 * host's own, which Siding did not install and takes over where it runs.
 */
export const Release = z.object({
  version: Version,
  digest: Digest,
  sizeBytes: z.int().min(0),
  adopts: AdoptedUnit.optional(),
});
export type Release = z.infer<typeof Release>;

/** `command[0]` is looked up in PATH, relative paths start in the release's folder. */
const CommandRun = z.object({
  command: z.array(z.string()).min(1),
  env: z.record(z.string(), z.string()),
  stopGraceMs: z.int().min(0),
  /** Who it runs as; absent: whoever the host's agent says. */
  user: z.string().optional(),
  /** Variables from a file of the host's; those of `env` win. */
  envFile: z.string().optional(),
});
export type CommandRun = z.infer<typeof CommandRun>;

/** A template unit of the host's own, such as `web@.service`; the slot is its instance. */
const UnitRun = z.object({ unit: z.string(), stopGraceMs: z.int().min(0) });

/** How a release is run. */
const RunSpec = z.union([UnitRun, CommandRun]);

/** The port of each slot; `green: null` means that there is no idle slot. */
export const PortsSpec = z.object({ blue: Port, green: Port.nullable() });
export type PortsSpec = z.infer<typeof PortsSpec>;

/** How long requests in flight may take, what happens then, and whether peers that are no edges hold the drain. */
export const DrainSpec = z.object({
  deadlineMs: z.int().min(0),
  onDeadline: z.enum(["proceed", "fail"]),
  others: z.enum(["ignore", "wait"]),
});
export type DrainSpec = z.infer<typeof DrainSpec>;

/** The part of a service spec that is rolled out, and rolled back, together with a release. */
export const TargetSpec = z.object({
  run: RunSpec,
  ports: PortsSpec,
  health: HealthSpec,
  drain: DrainSpec,
  hooks: HooksSpec.default({}),
});
export type TargetSpec = z.infer<typeof TargetSpec>;

/** What an instance is moved to and back from: release + frozen spec revision (design section 2). */
export const Target = z.object({
  id: TargetId,
  release: Release,
  specRevision: z.int().min(1),
  spec: TargetSpec,
});
export type Target = z.infer<typeof Target>;

/** `v2@0123456789ab.3`: version, start of the digest, spec revision. */
function targetIdOf(release: Release, specRevision: number): TargetId {
  return `${release.version}@${release.digest.slice(7, 19)}.${specRevision}` as TargetId;
}

export function makeTarget(release: Release, specRevision: number, spec: TargetSpec): Target {
  return { id: targetIdOf(release, specRevision), release, specRevision, spec };
}

/** The port of a slot; null where the service has no such slot. */
export function portOf(ports: PortsSpec, slot: Slot): number | null {
  return ports[slot];
}
