import { HookName } from "@siding/shared/hooks";
import type { HostId } from "@siding/shared/ids";
import type { SpecInput } from "@siding/shared/spec";
import type { Random } from "../random.ts";

type Hooks = NonNullable<SpecInput["hooks"]>;

/** Some services have some hooks; how each run of one ends, the host that runs it draws. */
export function hooksOf(random: Random, hosts: readonly HostId[]): Hooks {
  const hooks: Hooks = {};
  if (random.chance(0.6)) return hooks;
  for (const name of HookName.options) {
    if (!random.chance(0.4)) continue;
    const timeout = `${random.pick([2, 10, 40])}s`;
    const hook = { command: ["./hook"], timeout, idempotent: random.chance(0.3) };
    if (name !== "beforeRollout") hooks[name] = hook;
    else hooks[name] = random.chance(0.2) ? { ...hook, host: random.pick(hosts) } : hook;
  }
  return hooks;
}
