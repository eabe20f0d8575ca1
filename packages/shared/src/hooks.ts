import * as z from "zod";
import { defaults } from "./defaults.ts";
import { HostId } from "./ids.ts";
import { CommandLine, EnvName, PlainText, UserName } from "./plain-text.ts";
import { Duration } from "./units.ts";

/** The points of a host's way through a rollout at which it runs a program of the user's. */
export const HostHookName = z.enum(["beforeDrain", "beforeUpdate", "afterUpdate", "beforeRejoin"]);
export type HostHookName = z.infer<typeof HostHookName>;

/** `beforeRollout` runs once in a rollout, on one host. */
export const HookName = z.enum([...HostHookName.options, "beforeRollout"]);
export type HookName = z.infer<typeof HookName>;

/** A program that runs to its end, at most for `timeoutMs`: exit code 0 is success. */
export const HookSpec = z.object({
  command: z.array(z.string()).min(1),
  timeoutMs: z.int().min(1),
  /** On top of the service's own variables. */
  env: z.record(z.string(), z.string()),
  /** Who it runs as; absent: whoever the service runs as. */
  user: z.string().optional(),
  /** It may be run a second time where nobody knows how the first one ended. */
  idempotent: z.boolean(),
});
export type HookSpec = z.infer<typeof HookSpec>;

/** Without `host` the first of the plan. */
const RolloutHookSpec = HookSpec.extend({ host: HostId.optional() });

/** The hooks of a target: rolled out and rolled back with it. */
export const HooksSpec = z.object({
  beforeDrain: HookSpec.optional(),
  beforeUpdate: HookSpec.optional(),
  afterUpdate: HookSpec.optional(),
  beforeRejoin: HookSpec.optional(),
  beforeRollout: RolloutHookSpec.optional(),
});
export type HooksSpec = z.infer<typeof HooksSpec>;

/** A rollout waits for it; and no timer of Node's is longer than 24 days. */
const longestTimeoutMs = 86_400_000;

const HookInput = z.strictObject({
  command: CommandLine,
  timeout: Duration.default(defaults.hookTimeoutMs)
    .refine((ms) => ms >= 10, "at least 10ms")
    .refine((ms) => ms <= longestTimeoutMs, "at most 24h"),
  env: z.record(EnvName, PlainText).default({}),
  user: UserName.optional(),
  idempotent: z.boolean().default(false),
});
const RolloutHookInput = HookInput.extend({ host: HostId.optional() });

const HooksShape = z.strictObject({
  beforeDrain: HookInput.optional(),
  beforeUpdate: HookInput.optional(),
  afterUpdate: HookInput.optional(),
  beforeRejoin: HookInput.optional(),
  beforeRollout: RolloutHookInput.optional(),
});

/** The hooks as a person writes them. */
export const HooksInput = HooksShape.transform((input): HooksSpec => {
  const hooks: HooksSpec = {};
  for (const name of HostHookName.options) {
    const written = input[name];
    if (written !== undefined) hooks[name] = stored(written);
  }
  const { beforeRollout: once } = input;
  if (once === undefined) return hooks;
  return {
    ...hooks,
    beforeRollout: { ...stored(once), ...(once.host === undefined ? {} : { host: once.host }) },
  };
});

function stored({ command, timeout, env, user, idempotent }: z.output<typeof HookInput>): HookSpec {
  return { command, timeoutMs: timeout, env, idempotent, ...(user === undefined ? {} : { user }) };
}

/** From SIGTERM to SIGKILL, where a hook has not ended in time. */
export const hookKillGraceMs = 5_000;

/** The longest that a hook may keep its command: its timeout and its end, twice where it may be run again. */
export function hookBudgetMs(hook: HookSpec | undefined): number {
  if (hook === undefined) return 0;
  return (hook.timeoutMs + 2 * hookKillGraceMs) * (hook.idempotent ? 2 : 1);
}
