import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import type { Address, Slot } from "@siding/shared/ids";
import type { StepFailure } from "@siding/shared/report";
import { err, messageOf, ok, type Result } from "@siding/shared/result";
import type { Target } from "@siding/shared/target";

export const basePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

interface Place {
  readonly slot: Slot;
  readonly target: Target;
  /** Null where the service has no such slot. */
  readonly port: number | null;
}

/** What every service and every hook gets, and nothing else can set. */
export function serviceEnvironment({ slot, target, port }: Place, address: Address): Record<string, string> {
  return {
    ADDRESS: address,
    PORT: String(port ?? ""),
    SIDING_SLOT: slot,
    SIDING_VERSION: target.release.version,
  };
}

/** The variables in a file of the host's. Errors: `env-file-missing`, which also says why it can't be read. */
export function readEnvFile(path: string | undefined): Result<NodeJS.Dict<string>, StepFailure> {
  if (path === undefined) return ok({});
  try {
    return ok(parseEnv(readFileSync(path, "utf8")));
  } catch (cause) {
    return err({ code: "env-file-missing", message: `run.envFile: ${messageOf(cause)}` });
  }
}
