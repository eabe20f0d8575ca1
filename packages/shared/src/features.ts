import type { Role } from "./report.ts";
import type { TargetSpec } from "./target.ts";

/** Which agents have to understand a part of a target, and how a target shows that it has that part. */
interface Part {
  readonly roles: readonly Role[];
  readonly isIn: (spec: TargetSpec) => boolean;
}

/**
 * The parts of a target that came after the first release, by the name that a person writes. Messages let unknown newer
 * fields pass, so an agent from before a part would run the target without it and say nothing: each agent announces the
 * parts that it knows, and the control plane sends it no others. Whoever adds a part to a target adds it here.
 */
const parts = {
  "run.user": { roles: ["host"], isIn: ({ run }) => "command" in run && run.user !== undefined },
  "run.envFile": { roles: ["host"], isIn: ({ run }) => "command" in run && run.envFile !== undefined },
  unit: { roles: ["host"], isIn: ({ run }) => "unit" in run },
} as const satisfies Readonly<Record<string, Part>>;

export type Feature = keyof typeof parts;

/** What agents of this release announce. */
export const features = Object.keys(parts) as readonly Feature[];

/** What a target needs of an agent in this role and is not among what that agent announces. */
export function lackedFeatures(
  spec: TargetSpec,
  role: Role,
  announced: readonly string[],
): readonly Feature[] {
  return features.filter((feature) => {
    const part: Part = parts[feature];
    return part.roles.includes(role) && part.isIn(spec) && !announced.includes(feature);
  });
}
