import { setTimeout as sleep } from "node:timers/promises";
import type { StepFailure } from "@siding/shared/report";
import { err, ok, type Result } from "@siding/shared/result";
import { formatMs } from "@siding/shared/units";
import { isOwned } from "./marker.ts";
import { isAlive, membersOfGroup, type ProcessName } from "./proc.ts";

/** A service's end is on the way of a rollout, so it is noticed soon. */
const pollMs = 5;
/** After SIGKILL only the kernel can be slow: a process in an uninterruptible wait. */
const killDeadlineMs = 5_000;

/** SIGTERM to the process and its children, the grace, SIGKILL to who is left. Returns when all are gone. */
export async function endGroup(leader: ProcessName, graceMs: number): Promise<Result<null, StepFailure>> {
  const { pid } = leader;
  signalGroup(pid, "SIGTERM");
  if (await gone(leader, graceMs)) return ok(null);
  signalGroup(pid, "SIGKILL");
  if (await gone(leader, killDeadlineMs)) return ok(null);
  const message = `pid ${pid} did not end within ${formatMs(graceMs)} of SIGTERM and ${formatMs(killDeadlineMs)} of SIGKILL`;
  return err({ code: "stop-failed", message });
}

/** SIGKILL to what a process has left behind; each is looked at before, since its pid may have been given away. */
export function endStrays(pids: readonly number[], owner: string): void {
  for (const pid of pids) {
    if (isOwned(owner, pid)) signal(pid, "SIGKILL");
  }
}

async function gone(leader: ProcessName, withinMs: number): Promise<boolean> {
  const deadlineAtMs = performance.now() + withinMs;
  while (someoneLives(leader)) {
    const leftMs = deadlineAtMs - performance.now();
    if (leftMs <= 0) return false;
    await sleep(Math.min(pollMs, leftMs));
  }
  return true;
}

/** The group outlives its leader; looking through all processes is only needed where the kernel still knows it. */
function someoneLives(leader: ProcessName): boolean {
  return isAlive(leader) || (signalGroup(leader.pid, 0) && membersOfGroup(leader.pid).length > 0);
}

function signalGroup(group: number, name: NodeJS.Signals | 0): boolean {
  return signal(-group, name);
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}
