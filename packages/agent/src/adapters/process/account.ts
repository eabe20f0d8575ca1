import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { StepFailure } from "@siding/shared/report";
import { err, ok, type Result } from "@siding/shared/result";

/** A user of this machine. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** Users may come from anywhere (LDAP, …), and the system's own answer is the right one. */
const lookUpDeadlineMs = 10_000;

/** Looks a user up; null for nobody in particular. Errors: `user-missing`. */
export async function accountOf(
  name: string | null | undefined,
): Promise<Result<Account | null, StepFailure>> {
  if (name === null || name === undefined) return ok(null);
  try {
    const { stdout } = await promisify(execFile)("getent", ["passwd", name], { timeout: lookUpDeadlineMs });
    const [, , uid, gid, , home = "/"] = stdout.trim().split(":");
    return ok({ uid: Number(uid), gid: Number(gid), home });
  } catch {
    return err({ code: "user-missing", message: `there is no user '${name}' on this host` });
  }
}
