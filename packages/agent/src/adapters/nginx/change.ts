import { cp, rm, writeFile } from "node:fs/promises";
import type { UpstreamContent } from "@siding/shared/command";
import { contentDigest } from "@siding/shared/digest";
import { err, failure, ok } from "@siding/shared/result";
import type { EdgeResult } from "../../ports/edge.ts";
import { testConfig } from "./binary.ts";
import { writeDurably } from "./durable-file.ts";
import { type Inner, workersOf } from "./inner.ts";
import { isRetired, signal } from "./processes.ts";
import { type MainSettings, renderMain, renderUpstream } from "./render.ts";
import { type Attempt, type Rendition, routedBy, saveState, type UpstreamState } from "./state.ts";
import { servedGeneration } from "./status.ts";
import { listenTo, reload, retire, untilAtRest } from "./turnover.ts";
import { until } from "./waiting.ts";

/** What every change of an upstream needs to know. */
export interface ChangeContext {
  readonly binary: string;
  readonly settings: MainSettings;
  readonly confirmDeadlineMs: number;
  readonly inner: Inner;
}

export interface Wanted {
  readonly content: UpstreamContent;
  readonly revision: number;
  /** Members that nginx is not given, as `hostId/slot`. */
  readonly ejected: readonly string[];
}

/** What has become of an upstream, also where the change failed. */
export interface Changed {
  readonly state: UpstreamState;
  readonly result: EdgeResult<void>;
}

/** True where nginx serves just what the content asks for, so that only the revision is to be noted. */
export async function isServedAlready(
  { settings, inner }: ChangeContext,
  { served, attempt }: UpstreamState,
  wanted: Wanted,
): Promise<boolean> {
  if (served === null || attempt !== null) return false;
  if (!isSameText({ settings, inner }, wanted, served)) return false;
  return (await servedGeneration(inner.folder, wanted.content.upstream)) === served.generation;
}

type Routed = Pick<Wanted, "content" | "ejected">;

function isSameText(
  { settings, inner }: Pick<ChangeContext, "settings" | "inner">,
  left: Routed,
  right: Routed,
): boolean {
  const textOf = (routed: Routed) =>
    renderUpstream(settings, inner.folder, routedBy({ ...routed, ejected: [...routed.ejected] }), 0);
  return textOf(left) === textOf(right);
}

/** Whether the reload is one for the ledger, or for this edge's own ejections alone. */
function isEjection(context: ChangeContext, { served }: UpstreamState, { content }: Wanted): boolean {
  return served !== null && isSameText(context, { content, ejected: [] }, { ...served, ejected: [] });
}

/** Notes another revision of a content that nginx serves already. */
export async function noteRevision(
  context: ChangeContext,
  state: UpstreamState,
  wanted: Wanted,
): Promise<Changed> {
  if (state.served === null) throw new Error(`'${state.upstream}' serves nothing yet`);
  const { content, revision, ejected } = wanted;
  const served = {
    ...state.served,
    content,
    revision,
    digest: contentDigest(content),
    ejected: [...ejected],
  };
  return { state: await saved(context, { ...state, served }), result: ok(undefined) };
}

/**
 * Has nginx test a content in a copy of its files, so that a commit finds nothing to object to. Sockets that are in use
 * are no objection to a test.
 */
export async function rehearse(
  { inner, binary, settings }: ChangeContext,
  content: UpstreamContent,
  ejected: readonly string[],
): Promise<EdgeResult<void>> {
  const { folder } = inner;
  const rehearsal = folder.rehearsal;
  await rm(rehearsal.upstreams, { recursive: true, force: true });
  await cp(folder.upstreams, rehearsal.upstreams, { recursive: true });
  const routed = routedBy({ content, ejected: [...ejected] });
  await writeFile(
    `${rehearsal.upstreams}/${content.upstream}.conf`,
    renderUpstream(settings, folder, routed, 0),
  );
  await writeFile(rehearsal.config, renderMain(settings, folder, rehearsal.upstreams));
  return testConfig(binary, { path: folder.path, config: rehearsal.config });
}

/** Renders, tests, renames into place, reloads, confirms; after a failure the last confirmed content is back. */
export async function change(
  context: ChangeContext,
  before: UpstreamState,
  wanted: Wanted,
): Promise<Changed> {
  const { inner, binary, settings } = context;
  const startedAt = performance.now();
  const rested = await untilAtRest(inner, context.confirmDeadlineMs);
  if (!rested.ok) return { state: before, result: rested };
  const attempt: Attempt = {
    content: wanted.content,
    revision: wanted.revision,
    digest: contentDigest(wanted.content),
    ejected: [...wanted.ejected],
    generation: before.generation + 1,
    outcome: "open",
    oldWorkers: workersOf(inner),
  };
  const begun = await saved(context, { ...before, generation: attempt.generation, attempt });
  const hear = await listenTo(settings.layout.errorLog);

  await putInPlace(context, attempt);
  const tested = await testConfig(binary, inner.folder);
  if (!tested.ok) {
    await putBack(context, before);
    return { state: await saved(context, { ...begun, attempt: givenUp(before.attempt) }), result: tested };
  }
  const counts = isEjection(context, before, wanted)
    ? { ejections: begun.ejections + 1 }
    : { reloads: begun.reloads + 1 };
  const reloaded = await reload({
    inner,
    upstream: attempt.content.upstream,
    generation: attempt.generation,
    oldWorkers: attempt.oldWorkers,
    withinMs: context.confirmDeadlineMs,
  });
  const turnoverMs = performance.now() - startedAt;
  if (reloaded.ok) {
    const served = renditionOf(attempt);
    return {
      state: await saved(context, { ...begun, served, attempt: null, ...counts, turnoverMs }),
      result: reloaded,
    };
  }
  await putBack(context, before);
  // A master that was only slow may have read the new file: this makes it read the old one again.
  signal(inner.master, "SIGHUP");
  const { code, message } = reloaded.error;
  const words = await hear();
  return {
    state: await saved(context, { ...begun, attempt: givenUp(attempt), ...counts }),
    result: err(failure(code, words === "" ? message : `${message}; nginx: ${words}`)),
  };
}

/**
 * What has become of an attempt that an earlier agent did not live to see the end of. Null where only another reload
 * can tell.
 */
export async function concluded(context: ChangeContext, state: UpstreamState): Promise<UpstreamState | null> {
  const { attempt } = state;
  if (attempt?.outcome !== "open") return null;
  const { inner, confirmDeadlineMs: withinMs } = context;
  if (!(await untilAtRest(inner, withinMs)).ok) return null;
  if ((await servedGeneration(inner.folder, state.upstream)) !== attempt.generation) return null;
  const startedAt = performance.now();
  const settled = () => {
    retire(attempt.oldWorkers);
    return attempt.oldWorkers.every(isRetired);
  };
  const retired = await until(settled, { everyMs: 5, withinMs });
  if (!retired) return null;
  const turnoverMs = performance.now() - startedAt;
  const served = renditionOf(attempt);
  return saved(context, { ...state, served, attempt: null, reloads: state.reloads + 1, turnoverMs });
}

async function putInPlace({ inner, settings }: ChangeContext, rendition: Rendition): Promise<void> {
  const text = renderUpstream(settings, inner.folder, routedBy(rendition), rendition.generation);
  await writeDurably(inner.folder.upstreamFile(rendition.content.upstream), text);
}

async function putBack(context: ChangeContext, { upstream, served }: UpstreamState): Promise<void> {
  if (served === null) await rm(context.inner.folder.upstreamFile(upstream), { force: true });
  else await putInPlace(context, served);
}

function givenUp(attempt: Attempt | null): Attempt | null {
  return attempt && { ...attempt, outcome: "given-up" };
}

function renditionOf({ content, revision, digest, generation, ejected }: Attempt): Rendition {
  return { content, revision, digest, generation, ejected };
}

async function saved({ settings }: ChangeContext, state: UpstreamState): Promise<UpstreamState> {
  await saveState(settings.layout, state);
  return state;
}
