import { setTimeout as pause } from "node:timers/promises";
import { err, failure, ok } from "@siding/shared/result";
import type { EdgeResult } from "../../ports/edge.ts";
import { currentFolder, innerFolders, masterIn, sweepFolders } from "./inner.ts";
import type { EdgeLayout, InnerFolder, UpstreamPlace } from "./layout.ts";
import { isRetired, nginxIn, type ProcessRef } from "./processes.ts";
import { flushQueue, flushStreamQueue } from "./status.ts";
import { retire } from "./turnover.ts";
import { until } from "./waiting.ts";

/**
 * A connect() that looked up the old path just before the link was switched needs its time slice to get into the old
 * queue; no one can see it on its way.
 */
const lookupGraceMs = 50;

/**
 * Ends every nginx that works in a folder which is not in charge, without losing a request: first what waits in their
 * queues is accepted, then they finish. Long requests go on; their folders are swept later.
 */
export async function retireOrphans(
  layout: EdgeLayout,
  upstreams: readonly UpstreamPlace[],
  withinMs: number,
): Promise<EdgeResult<void>> {
  const current = await currentFolder(layout);
  const staying: ProcessRef[] = [];
  for (const folder of await innerFolders(layout)) {
    if (folder.path === current?.path || nginxIn(folder.path).length === 0) continue;
    staying.push(...(await retireFolder(folder, upstreams, withinMs)));
  }
  await sweepFolders(layout);
  if (staying.length === 0) return ok(undefined);
  const pids = staying.map(({ pid }) => pid).join(", ");
  return err(
    failure(
      "edge-reload-without-effect",
      `orphaned nginx workers do not finish after ${withinMs} ms (pid ${pids})`,
    ),
  );
}

async function retireFolder(
  folder: InnerFolder,
  upstreams: readonly UpstreamPlace[],
  withinMs: number,
): Promise<ProcessRef[]> {
  await pause(lookupGraceMs);
  await Promise.all(
    upstreams.map(({ upstream, protocol }) =>
      (protocol === "tcp" ? flushStreamQueue : flushQueue)(folder.socket(upstream)),
    ),
  );
  const master = await masterIn(folder);
  const workers = nginxIn(folder.path).filter(({ pid }) => pid !== master?.pid);
  // A living master passes it on, and would replace a worker that ended by itself.
  const addressed = master ? [master] : workers;
  const retired = () => {
    retire(addressed);
    return workers.every(isRetired);
  };
  const allRetired = await until(retired, { everyMs: 5, withinMs });
  return allRetired ? [] : workers.filter((worker) => !isRetired(worker));
}
