import { open } from "node:fs/promises";
import { err, failure, ok } from "@siding/shared/result";
import type { EdgeResult } from "../../ports/edge.ts";
import type { UpstreamPlace } from "./layout.ts";
import { isRunning, type Place } from "./place.ts";
import { childrenOf, isAlive, isAtRest, isRetired, isWorker, type ProcessRef, signal } from "./processes.ts";
import { until } from "./waiting.ts";

export interface Turnover {
  readonly place: Place;
  readonly upstream: UpstreamPlace;
  readonly generation: number;
  /** Every worker that lived before the reload, noted while the master was at rest. */
  readonly oldWorkers: readonly ProcessRef[];
  readonly withinMs: number;
}

/** A look costs a tenth of a millisecond and is on the way of every rollout. */
const lookEveryMs = 2;

/**
 * Waits until the master has done all that it was asked for, also by an earlier agent: else workers could appear that
 * are neither known as old nor of the new generation.
 */
export async function untilAtRest(
  { master }: Pick<Place, "master">,
  withinMs: number,
): Promise<EdgeResult<void>> {
  const settled = () => !isAlive(master) || isAtRest(master);
  if (!(await until(settled, { everyMs: lookEveryMs, withinMs }))) {
    return withoutEffect(
      `the nginx master (pid ${master.pid}) has not dealt with an earlier reload`,
      withinMs,
    );
  }
  return isAlive(master) ? ok(undefined) : masterGone();
}

/**
 * Reloads, and returns when the new generation is served and no old worker takes connections any more (facts.md, "When
 * a new config really serves"): that `nginx -s reload` returned 0 proves nothing, and old and new workers answer side by
 * side for a while.
 */
export async function reload(turnover: Turnover): Promise<EdgeResult<void>> {
  const { place, upstream, generation, oldWorkers, withinMs } = turnover;
  const hasten = () => place.retiresWorkers && retire(oldWorkers);
  const startedAt = performance.now();
  if (!signal(place.master, "SIGHUP")) return masterGone();
  const giveUpAt = performance.now() + withinMs;
  const stillWithin = () => ({ everyMs: lookEveryMs, withinMs: giveUpAt - performance.now() });

  const answered = await until(async () => {
    if (!isRunning(place)) return true;
    // As the master is about to do. It waits for 100 ms first, "to allow new processes to start"; that one has started
    // is better than waiting. The master finds the old ones gone a little earlier, and is content.
    if (hasNewWorker(place, oldWorkers)) hasten();
    return (await place.servedGeneration(upstream)) === generation;
  }, stillWithin());
  if (!isRunning(place)) return masterGone();
  if (!answered)
    return withoutEffect(`nginx was told to reload and does not serve '${upstream.upstream}' anew`, withinMs);

  const retired = await until(() => {
    hasten();
    return oldWorkers.every((worker) => place.hasLetGo(worker, startedAt));
  }, stillWithin());
  if (retired) return ok(undefined);
  return withoutEffect(
    `nginx workers from before the reload still take connections (pid ${pidsOf(oldWorkers.filter((worker) => !isRetired(worker)))})`,
    withinMs,
  );
}

function pidsOf(processes: readonly ProcessRef[]): string {
  return processes.map(({ pid }) => pid).join(", ");
}

/**
 * True once a worker of the new configuration is ready. The status socket alone would tell it late: of several workers
 * that wait on one socket the kernel prefers the one that has waited longest, which is an old one.
 */
function hasNewWorker({ master }: Place, oldWorkers: readonly ProcessRef[]): boolean {
  const old = new Set(oldWorkers.map(({ pid }) => pid));
  return childrenOf(master).some((pid) => !old.has(pid) && isWorker(pid));
}

/**
 * Asks processes to finish, to be called until they have: a signal that comes just before a worker falls asleep is not
 * heard before its next event, which may be never.
 */
export function retire(processes: readonly ProcessRef[]): void {
  for (const process of processes) if (!isRetired(process)) signal(process, "SIGQUIT");
}

function masterGone() {
  return err(failure("edge-nginx-down", "nginx has no master process"));
}

function withoutEffect(what: string, withinMs: number) {
  return err(failure("edge-reload-without-effect", `${what} after ${withinMs} ms`));
}

/** The most of the error log that is worth a report. */
const maxWords = 2_000;

/** Remembers where nginx's error log ends, to tell later what nginx has said since. */
export async function listenTo(log: string | null): Promise<() => Promise<string>> {
  if (log === null) return () => Promise.resolve("");
  const from = await sizeOf(log);
  return async () => {
    const to = await sizeOf(log);
    if (to <= from) return "";
    await using file = await open(log, "r");
    const length = Math.min(to - from, maxWords);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, to - length);
    return buffer.toString("utf8", 0, bytesRead).trim();
  };
}

async function sizeOf(path: string): Promise<number> {
  try {
    await using file = await open(path, "r");
    return (await file.stat()).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return 0;
    throw error;
  }
}
