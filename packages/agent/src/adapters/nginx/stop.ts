import { rm } from "node:fs/promises";
import { innerFolders, masterIn } from "./inner.ts";
import type { EdgeLayout, InnerFolder } from "./layout.ts";
import { nginxIn, signal } from "./processes.ts";
import { retire } from "./turnover.ts";
import { until } from "./waiting.ts";

/** Requests in flight may finish for this long; who stops an edge has taken it out of service before. */
const orderlyEndMs = 5_000;
/** Then each harder signal gets this long. */
const hardEndMs = 1_000;

/** Ends every inner nginx of the edge and removes its run files. */
export async function endAll(layout: EdgeLayout): Promise<void> {
  const folders = await innerFolders(layout);
  await Promise.all(folders.map(endFolder));
  await rm(layout.current, { force: true });
  for (const folder of folders) await rm(folder.path, { recursive: true, force: true });
}

async function endFolder(folder: InnerFolder): Promise<void> {
  const ended = () => nginxIn(folder.path).length === 0;
  const master = await masterIn(folder);
  // A living master passes the signal on, and would replace a worker that ended by itself.
  const addressed = () => (master ? [master] : nginxIn(folder.path));
  const finished = () => {
    retire(addressed());
    return ended();
  };
  if (await until(finished, { everyMs: 10, withinMs: orderlyEndMs })) return;
  for (const process of addressed()) signal(process, "SIGTERM");
  if (await until(ended, { everyMs: 10, withinMs: hardEndMs })) return;
  for (const process of nginxIn(folder.path)) signal(process, "SIGKILL");
  await until(ended, { everyMs: 10, withinMs: hardEndMs });
}
