import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import type { Address } from "@siding/shared/ids";
import type { StepFailure } from "@siding/shared/report";
import { err, messageOf, ok, type Result } from "@siding/shared/result";
import type { StartOrder } from "../../ports/driver.ts";

export const basePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What every service gets, and nothing else can set. */
export function serviceEnvironment(
  { slot, target, port }: Pick<StartOrder, "slot" | "target" | "port">,
  address: Address,
): Record<string, string> {
  return {
    ADDRESS: address,
    PORT: String(port),
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
