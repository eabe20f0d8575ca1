import { readdirSync, readFileSync } from "node:fs";
import type { ProcessRef } from "../../machine/journal.ts";

/** A process, and no later one that was given its pid, in this boot or another. */
export interface ProcessName {
  readonly pid: number;
  readonly startTicks: string;
  readonly bootId: string;
}

/** Who a process runs as. */
export interface Ids {
  readonly uid: number;
  readonly gid: number;
}

interface Stat {
  readonly state: string;
  readonly group: number;
  readonly session: number;
  readonly startTicks: string;
}

const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();

export function refOfPid(pid: number): ProcessRef | null {
  const stat = statOf(pid);
  return stat === null ? null : `${pid}:${stat.startTicks}:${bootId}`;
}

export function parseRef(ref: ProcessRef): ProcessName | null {
  const match = /^(\d{1,10}):(\d+):([0-9a-f-]{36})$/.exec(ref);
  const [, pid, startTicks, boot] = match ?? [];
  return pid && startTicks && boot ? { pid: Number(pid), startTicks, bootId: boot } : null;
}

/** False for one that has ended and that nobody has waited for: PID 1 does not do that everywhere. */
export function isAlive({ pid, startTicks, bootId: boot }: ProcessName): boolean {
  const stat = statOf(pid);
  return boot === bootId && stat !== null && !isDead(stat) && stat.startTicks === startTicks;
}

export function isSessionLeader(pid: number): boolean {
  const stat = statOf(pid);
  return stat !== null && !isDead(stat) && stat.session === pid;
}

/** Living processes of a process group. */
export function membersOfGroup(group: number): number[] {
  return allPids().filter((pid) => {
    const stat = statOf(pid);
    return stat !== null && !isDead(stat) && stat.group === group;
  });
}

export function allPids(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** The environment that a process was started with; null where it is gone or somebody else's. */
export function environOf(pid: number): ReadonlyMap<string, string> | null {
  const text = readProc(pid, "environ");
  if (text === null) return null;
  const entries = text.split("\0").map((entry) => {
    const at = entry.indexOf("=");
    return [entry.slice(0, at), entry.slice(at + 1)] as const;
  });
  return new Map(entries);
}

/** Null where the process is gone. */
export function idsOf(pid: number): Ids | null {
  const status = readProc(pid, "status");
  const idOf = (name: string) => new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status ?? "")?.[1];
  const [uid, gid] = [idOf("Uid"), idOf("Gid")];
  return uid === undefined || gid === undefined ? null : { uid: Number(uid), gid: Number(gid) };
}

/** The unit of systemd that a process belongs to; null where it is in none that is known by name. */
export function unitOfPid(pid: number): string | null {
  const groups = readProc(pid, "cgroup") ?? "";
  return /\/([^/\n]+\.service)(?:\/|$)/m.exec(groups)?.[1] ?? null;
}

export function commandNameOf(pid: number): string {
  return readProc(pid, "comm")?.trim() ?? "unknown";
}

function statOf(pid: number): Stat | null {
  const text = readProc(pid, "stat");
  if (text === null) return null;
  // The second field is the name in brackets, which may hold anything, so the rest is counted from its end.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state, , group, session] = fields;
  const startTicks = fields[19];
  if (state === undefined || startTicks === undefined) return null;
  return { state, group: Number(group), session: Number(session), startTicks };
}

function isDead({ state }: Stat): boolean {
  return state === "Z" || state === "X";
}

function readProc(pid: number, name: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ESRCH" || code === "EACCES" || code === "EPERM") return null;
    throw error;
  }
}
