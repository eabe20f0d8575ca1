import { homedir } from "node:os";
import type { Address, HostId } from "@siding/shared/ids";
import type { StepFailure } from "@siding/shared/report";
import { ok, type Result } from "@siding/shared/result";
import { portOf } from "@siding/shared/target";
import type { HookOrder } from "../../ports/hooks.ts";
import type { Account } from "../process/account.ts";
import { basePath, readEnvFile, serviceEnvironment } from "../process/environment.ts";
import { secretsIn } from "./redaction.ts";

export interface HookEnvironment {
  readonly variables: NodeJS.ProcessEnv;
  /** What of it must not be seen in an output. */
  readonly secrets: readonly string[];
}

/** What a hook gets: all that its service gets, its own, and what it is run for. Errors: `env-file-missing`. */
export function hookEnvironment(
  order: HookOrder,
  account: Account | null,
  { hostId, address }: { readonly hostId: HostId; readonly address: Address },
): Result<HookEnvironment, StepFailure> {
  const { target, slot, service, hook, runId, attempt, step } = order;
  const { run, hooks, ports } = target.spec;
  const file = readEnvFile("unit" in run ? undefined : run.envFile);
  if (!file.ok) return file;
  const own = { ...("unit" in run ? {} : run.env), ...hooks[hook]?.env };
  const variables = {
    PATH: basePath,
    HOME: account?.home ?? homedir(),
    LANG: "C.UTF-8",
    ...file.value,
    ...own,
    ...serviceEnvironment({ slot, target, port: portOf(ports, slot) }, address),
    SIDING_SERVICE: service,
    SIDING_HOST: hostId,
    SIDING_HOOK: hook,
    SIDING_HOOK_ID: runId,
    SIDING_HOOK_ATTEMPT: String(attempt),
    SIDING_STEP: step,
  };
  return ok({ variables, secrets: secretsIn(file.value, own) });
}
