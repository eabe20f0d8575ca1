import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** A living process that has to do with a folder. */
export type Holder = { readonly pid: number; readonly name: string; readonly command: string };

/**
 * The processes that work in a folder: named on their command line, their working directory, or a file they have open.
 * It finds what our children started too, whose ids nobody told us (services, nginx workers, nats-server). A process
 * with a terminal is left out: ours are detached and have none, so that is a person looking at a log.
 */
export function processesHolding(folder: string): Holder[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid !== process.pid)
    .flatMap((pid) => holderOf(pid, folder) ?? []);
}

/** Whether a process exists and has not ended; an ended one that nobody reaps has not. */
export function isAlive(pid: number): boolean {
  return statOf(pid) !== undefined;
}

function holderOf(pid: number, folder: string): Holder | undefined {
  const stat = statOf(pid);
  if (stat === undefined || stat.hasTerminal) return undefined;
  const command = (attempt(() => readFileSync(`/proc/${pid}/cmdline`, "utf8")) ?? "")
    .replaceAll("\0", " ")
    .trim();
  if (!isNamedIn(command, folder) && !linksOf(pid).some((path) => isNamedIn(path, folder))) return undefined;
  return { pid, name: stat.name, command };
}

function statOf(pid: number): { name: string; hasTerminal: boolean } | undefined {
  const text = attempt(() => readFileSync(`/proc/${pid}/stat`, "utf8"));
  if (text === undefined) return undefined;
  // The name stands in brackets and may hold spaces and brackets itself; after it: state, ppid, pgrp, session, tty.
  const [state, , , , terminal] = text.slice(text.lastIndexOf(")") + 2).split(" ");
  if (state === "Z" || state === "X") return undefined;
  const name = text.slice(text.indexOf("(") + 1, text.lastIndexOf(")"));
  return { name, hasTerminal: terminal !== "0" };
}

function linksOf(pid: number): string[] {
  const opened = attempt(() => readdirSync(`/proc/${pid}/fd`)) ?? [];
  return [`/proc/${pid}/cwd`, ...opened.map((descriptor) => `/proc/${pid}/fd/${descriptor}`)].flatMap(
    (link) => attempt(() => readlinkSync(link)) ?? [],
  );
}

/** `/tmp/a` is named in `-c /tmp/a/nginx.conf`, not in `/tmp/ab`. */
function isNamedIn(text: string, folder: string): boolean {
  for (let at = text.indexOf(folder); at !== -1; at = text.indexOf(folder, at + 1)) {
    const next = text[at + folder.length];
    if (next === undefined || next === "/" || next === " ") return true;
  }
  return false;
}

/** A process may end while it is being read: then there is nothing to read. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
