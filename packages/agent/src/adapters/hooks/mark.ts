import { allPids, environOf } from "../process/proc.ts";

/** How a hook says in its environment whose and which it is; its children inherit that. */
const ownerVariable = "SIDING_AGENT";
const runVariable = "SIDING_HOOK_ID";

/** @param owner the agent's data folder: no two agents have the same */
export function hookMark(owner: string, runId: string): Record<string, string> {
  return { [ownerVariable]: owner, [runVariable]: runId };
}

/** The processes of one run, or of all (null), also those that have left its process group. */
export function bearersOfHook(owner: string, runId: string | null): readonly number[] {
  return allPids().filter((pid) => {
    const environ = environOf(pid);
    const run = environ?.get(runVariable);
    return environ?.get(ownerVariable) === owner && run !== undefined && (runId === null || run === runId);
  });
}
