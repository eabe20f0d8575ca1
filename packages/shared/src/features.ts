import { edgeCheckOf } from "./health.ts";
import { HostHookName } from "./hooks.ts";
import type { Role } from "./report.ts";
import type { EdgeProtocol } from "./spec.ts";
import type { Target, TargetSpec } from "./target.ts";

/** What is rolled out besides the spec: the release, and what its edges pass on. */
interface Context {
  readonly release: Target["release"];
  readonly protocol: EdgeProtocol;
}

/** By role, how a target, or what its edges pass on, shows that agents in that role have to understand a part of it. */
type Part = Partial<Record<Role, (spec: TargetSpec, context: Context) => boolean>>;

/**
 * The parts of a target that came after the first release, by the name that a person writes. Messages let unknown newer
 * fields pass, so an agent from before a part would run the target without it and say nothing: each agent announces the
 * parts that it knows, and the control plane sends it no others. Whoever adds a part to a target adds it here.
 */
const parts = {
  "run.user": { host: ({ run }) => "command" in run && run.user !== undefined },
  "run.envFile": { host: ({ run }) => "command" in run && run.envFile !== undefined },
  unit: { host: ({ run }) => "unit" in run },
  "health.tcp": { host: ({ health }) => "tcp" in health, edge: ({ health }) => "tcp" in edgeCheckOf(health) },
  hooks: { host: ({ hooks }) => HostHookName.options.some((name) => hooks[name] !== undefined) },
  "hooks.beforeRollout": { host: ({ hooks }) => hooks.beforeRollout !== undefined },
  "edge.protocol": { edge: (_, { protocol }) => protocol === "tcp" },
  "health.command": { host: ({ health }) => "command" in health },
  adopt: { host: (_, { release }) => release.adopts !== undefined },
} as const satisfies Readonly<Record<string, Part>>;

export type Feature = keyof typeof parts;

const names = Object.keys(parts) as readonly Feature[];

/** A command that came after the first release: not part of a target, but of what is asked of an agent. */
export const restartFeature = "restart";

/** What agents of this release announce. */
export const features: readonly string[] = [...names, restartFeature];

/** What a target needs of an agent in this role and is not among what that agent announces. */
export function lackedFeatures(
  { spec, release }: Pick<Target, "spec" | "release">,
  role: Role,
  announced: readonly string[],
  protocol: EdgeProtocol = "http",
): readonly Feature[] {
  return names.filter((feature) => {
    const part: Part = parts[feature];
    return part[role]?.(spec, { release, protocol }) && !announced.includes(feature);
  });
}
