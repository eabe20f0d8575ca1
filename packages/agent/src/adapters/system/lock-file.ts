import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { err, type Failure, failure, messageOf, ok, type Result } from "@siding/shared/result";
import { isAlive, parseRef, refOfPid } from "../process/proc.ts";

/**
 * One agent per data folder. The file holds the process, not only its pid, so that one left behind by a power cut is
 * no obstacle. Errors: `agent-runs-already`, `data-dir-unusable`.
 */
export function takeLock(
  dataDir: string,
): Result<() => void, Failure<"agent-runs-already" | "data-dir-unusable">> {
  const path = join(dataDir, "agent.lock");
  const me = refOfPid(process.pid) ?? String(process.pid);
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    if (!create(path, me)) {
      const owner = readFileSync(path, "utf8").trim();
      const ref = parseRef(owner);
      if (ref !== null && isAlive(ref)) {
        const message = `an agent with the data folder ${dataDir} runs already: pid ${ref.pid} (${path})`;
        return err(failure("agent-runs-already", message));
      }
      rmSync(path, { force: true });
      if (!create(path, me))
        return err(failure("agent-runs-already", `another agent has just taken ${path}`));
    }
  } catch (cause) {
    return err(failure("data-dir-unusable", `the data folder ${dataDir}: ${messageOf(cause)}`, cause));
  }
  return ok(() => rmSync(path, { force: true }));
}

function create(path: string, text: string): boolean {
  try {
    writeFileSync(path, `${text}\n`, { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}
