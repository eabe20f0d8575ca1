import * as z from "zod";

/**
 * Names and ids (design section 3). Each is an allowlist; what does not match is refused, never cleaned.
 * The name pattern is one NATS subject token and one DNS label.
 */
const name = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const nameRule = "lower-case letters, digits and '-', 1 to 63 characters, no '-' at either end";

export const HostId = z.string().regex(name, `a host id has ${nameRule}`).brand<"HostId">();
export type HostId = z.infer<typeof HostId>;

export const ServiceName = z.string().regex(name, `a service name has ${nameRule}`).brand<"ServiceName">();
export type ServiceName = z.infer<typeof ServiceName>;

/** The name behind `proxy_pass http://NAME;` in the user's nginx. */
export const UpstreamName = z
  .string()
  .regex(name, `an upstream name has ${nameRule}`)
  .brand<"UpstreamName">();
export type UpstreamName = z.infer<typeof UpstreamName>;

export const Version = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/,
    "a version has letters, digits and . _ + -, 1 to 64 characters",
  )
  .brand<"Version">();
export type Version = z.infer<typeof Version>;

/** sha-256 of an artifact's bytes. */
export const Digest = z
  .string()
  .regex(/^sha256:[0-9a-f]{64}$/, "a digest is 'sha256:' and 64 lower-case hex digits")
  .brand<"Digest">();
export type Digest = z.infer<typeof Digest>;

const opaque = /^[A-Za-z0-9_-]{1,64}$/;

export const RolloutId = z.string().regex(opaque, "not a rollout id").brand<"RolloutId">();
export type RolloutId = z.infer<typeof RolloutId>;

export const CommandId = z.string().regex(opaque, "not a command id").brand<"CommandId">();
export type CommandId = z.infer<typeof CommandId>;

/** Random at each start of a control plane; with the epoch it names one process. */
export const ControlPlaneId = z.string().regex(opaque, "not a control plane id").brand<"ControlPlaneId">();
export type ControlPlaneId = z.infer<typeof ControlPlaneId>;

/** Random at each start of an agent. */
export const Incarnation = z.string().regex(opaque, "not an incarnation").brand<"Incarnation">();
export type Incarnation = z.infer<typeof Incarnation>;

/** Names a target: see {@link targetIdOf} in target.ts. */
export const TargetId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}@[0-9a-f]{12}\.[0-9]{1,15}$/, "not a target id")
  .brand<"TargetId">();
export type TargetId = z.infer<typeof TargetId>;

/** One of the two side-by-side sets that an instance can be in. */
export const Slot = z.enum(["blue", "green"]);
export type Slot = z.infer<typeof Slot>;

/** A literal IPv4 or IPv6 address; names are refused, since nginx would resolve them at its own time. */
export const Address = z.union([z.ipv4(), z.ipv6()], { error: "an IPv4 or IPv6 address" });
export type Address = z.infer<typeof Address>;

export const Port = z.int().min(1).max(65535);

export const LabelName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/, "a label's name has letters, digits and . _ / -");

/** Labels that select hosts: `role: web`. */
export const Labels = z.record(
  LabelName,
  z.string().regex(/^[A-Za-z0-9._/+-]{0,63}$/, "a label's value has letters, digits and . _ / + -"),
);
export type Labels = z.infer<typeof Labels>;

/** A host takes this many times the requests of one with weight 1; a label says it, so that it stands where the host does. */
export const Weight = z.coerce.number().int().min(1).max(100);
export const weightLabel = "weight";

/** The weight that a host's labels give it; 1 where they give none. */
export function weightOf(labels: Labels): number {
  const parsed = Weight.safeParse(labels[weightLabel] ?? 1);
  return parsed.success ? parsed.data : 1;
}

/** A revision is the ledger sequence of its commit: one counter for everything (design section 4). */
export const Revision = z.int().min(0);
export const Epoch = z.int().min(0);

/** `web/h1/blue`: one service on one host in one slot. */
export type InstanceKey = `${string}/${string}/${string}`;

export function instanceKey(service: ServiceName, hostId: HostId, slot: Slot): InstanceKey {
  return `${service}/${hostId}/${slot}`;
}
