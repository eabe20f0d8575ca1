import { chmod, cp, mkdir, readdir, readlink, rename, rm, symlink } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { UpstreamContent } from "@siding/shared/command";
import { err, failure, ok } from "@siding/shared/result";
import type { EdgeResult } from "../../ports/edge.ts";
import { launch, testConfig } from "./binary.ts";
import { syncFolder, textOf, writeDurably } from "./durable-file.ts";
import { type EdgeLayout, InnerFolder, type UpstreamPlace } from "./layout.ts";
import type { Place } from "./place.ts";
import { isRetired, nginxIn, type ProcessRef } from "./processes.ts";
import { type MainSettings, renderMain, renderUpstream } from "./render.ts";
import { type Rendition, routedBy } from "./state.ts";
import { anyUpstream, servedGeneration, servedStreamGeneration } from "./status.ts";
import { until } from "./waiting.ts";

/** A running inner nginx: the folder it works in and its master. */
export interface Inner {
  readonly folder: InnerFolder;
  readonly master: ProcessRef;
}

/** A master that does not answer in this time after it took its sockets never will. */
const startDeadlineMs = 10_000;

/** The inner nginx in charge, whoever started it; null where none lives. */
export async function findInner(layout: EdgeLayout): Promise<Inner | null> {
  const folder = await currentFolder(layout);
  const master = folder && (await masterIn(folder));
  return folder && master ? { folder, master } : null;
}

/** Whether workers of a master that is gone still take what comes. */
export async function servesSomebody(layout: EdgeLayout): Promise<boolean> {
  const folder = await currentFolder(layout);
  return folder !== null && nginxIn(folder.path).length > 0;
}

/** The inner nginx as a place where upstreams are changed. */
export function innerPlace(binary: string, settings: MainSettings, { folder, master }: Inner): Place {
  return {
    master,
    servedGeneration: ({ upstream, protocol }) =>
      protocol === "tcp"
        ? servedStreamGeneration({ path: folder.statusSocketOf(upstream) })
        : servedGeneration({ path: folder.statusSocket }, upstream),
    upstreamFile: (upstream) => folder.upstreamFile(upstream),
    workers: () => nginxIn(folder.path).filter(({ pid }) => pid !== master.pid),
    render: (content, generation) => renderUpstream(settings, folder, content, generation),
    test: () => testConfig(binary, folder),
    rehearse: (content) => rehearse(binary, settings, folder, content),
    // A front of the user's stands before it, whose connections are never kept: a reload costs nobody anything.
    beforeReload: async () => {},
    afterReload: async () => {},
    hasLetGo: isRetired,
    retiresWorkers: true,
    errorLog: settings.layout.errorLog,
  };
}

/** In a copy of its files. Sockets that are in use are no objection to a test. */
async function rehearse(
  binary: string,
  settings: MainSettings,
  folder: InnerFolder,
  content: UpstreamContent,
): Promise<EdgeResult<void>> {
  const { config, upstreams } = folder.rehearsal;
  await rm(upstreams, { recursive: true, force: true });
  await cp(folder.upstreams, upstreams, { recursive: true });
  const text = renderUpstream(settings, folder, content, 0);
  await writeDurably(`${upstreams}/${basename(folder.upstreamFile(content))}`, text);
  await writeDurably(config, renderMain(settings, folder, upstreams));
  return testConfig(binary, { path: folder.path, config });
}

/** The living master of a folder; a pid that now belongs to another process is not taken for it. */
export async function masterIn(folder: InnerFolder): Promise<ProcessRef | null> {
  const pid = Number.parseInt((await textOf(folder.pidFile)) ?? "", 10);
  return nginxIn(folder.path).find((process) => process.pid === pid) ?? null;
}

/** Every folder that an inner nginx was ever given and that is not yet removed. */
export async function innerFolders(layout: EdgeLayout): Promise<InnerFolder[]> {
  const names = await readdir(layout.folders.runDir);
  return names.flatMap((name) => {
    const number = InnerFolder.numberOf(name);
    return number === null ? [] : [layout.inner(number)];
  });
}

/** Starts a new inner nginx in a folder of its own. It is not in charge before `putInCharge`. */
export async function startInner(
  binary: string,
  settings: MainSettings,
  renditions: readonly Rendition[],
): Promise<EdgeResult<Inner>> {
  // Of tries that came to nothing as well.
  await sweepFolders(settings.layout);
  const taken = (await innerFolders(settings.layout)).map(({ number }) => number);
  const folder = settings.layout.inner(Math.max(0, ...taken) + 1);
  await makeFolders(folder);
  await writeDurably(folder.config, renderMain(settings, folder));
  for (const rendition of renditions) {
    const text = renderUpstream(settings, folder, routedBy(rendition), rendition.generation);
    await writeDurably(folder.upstreamFile(rendition.content), text);
  }
  const tested = await testConfig(binary, folder);
  const launched = tested.ok ? await launch(binary, folder) : tested;
  if (!launched.ok) return launched;
  return firstAnswer(folder, settings.layout);
}

async function firstAnswer(folder: InnerFolder, layout: EdgeLayout): Promise<EdgeResult<Inner>> {
  const answers = async () => (await servedGeneration({ path: folder.statusSocket }, anyUpstream)) !== null;
  const answered = await until(answers, { everyMs: 5, withinMs: startDeadlineMs });
  const master = await masterIn(folder);
  if (answered && master) return ok({ folder, master });
  return err(failure("edge-nginx-down", `nginx was started and does not answer; see ${layout.errorLog}`));
}

/** Workers of any user have to reach the sockets, whatever the agent's umask. */
async function makeFolders(folder: InnerFolder): Promise<void> {
  for (const path of [folder.path, folder.upstreams, folder.temp]) {
    await mkdir(path, { recursive: true });
    await chmod(path, 0o755);
  }
}

/** From this rename on, every new connection to any upstream goes to this nginx. */
export async function putInCharge(layout: EdgeLayout, { folder }: Inner): Promise<void> {
  const draft = `${layout.current}.draft`;
  await rm(draft, { force: true });
  await symlink(basename(folder.path), draft);
  await rename(draft, layout.current);
  await syncFolder(dirname(layout.current));
}

/** The folder in charge, whether or not an nginx lives in it. */
export async function currentFolder(layout: EdgeLayout): Promise<InnerFolder | null> {
  try {
    const number = InnerFolder.numberOf(basename(await readlink(layout.current)));
    return number === null ? null : layout.inner(number);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** Removes what no process uses any more. */
export async function sweepFolders(layout: EdgeLayout): Promise<void> {
  const current = await currentFolder(layout);
  for (const folder of await innerFolders(layout)) {
    if (folder.path === current?.path || nginxIn(folder.path).length > 0) continue;
    await rm(folder.path, { recursive: true, force: true });
  }
}

/** Removes upstream files that nobody vouches for: left by an attempt, or put there by hand. */
export async function removeStrayFiles(folder: InnerFolder, known: readonly UpstreamPlace[]): Promise<void> {
  const expected = new Set(known.map((upstream) => basename(folder.upstreamFile(upstream))));
  for (const name of await readdir(folder.upstreams)) {
    if (!expected.has(name)) await rm(`${folder.upstreams}/${name}`, { recursive: true, force: true });
  }
}
