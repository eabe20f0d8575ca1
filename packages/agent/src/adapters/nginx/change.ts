import { rm } from "node:fs/promises";
import type { UpstreamContent } from "@siding/shared/command";
import { contentDigest } from "@siding/shared/digest";
import { err, failure, ok } from "@siding/shared/result";
import type { EdgeResult } from "../../ports/edge.ts";
import { writeDurably } from "./durable-file.ts";
import type { EdgeLayout } from "./layout.ts";
import type { Place } from "./place.ts";
import { signal } from "./processes.ts";
import { type Attempt, type Rendition, routedBy, saveState, type UpstreamState } from "./state.ts";
import { listenTo, reload, retire, untilAtRest } from "./turnover.ts";
import { until } from "./waiting.ts";

/** What every change of an upstream needs to know. */
export interface ChangeContext {
  readonly place: Place;
  readonly layout: EdgeLayout;
  readonly confirmDeadlineMs: number;
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
  { place }: ChangeContext,
  { served, attempt }: UpstreamState,
  wanted: Wanted,
): Promise<boolean> {
  if (served === null || attempt !== null) return false;
  if (!isSameText(place, wanted, served)) return false;
  return (await place.servedGeneration(wanted.content)) === served.generation;
}

type Routed = Pick<Wanted, "content" | "ejected">;

function isSameText(place: Place, left: Routed, right: Routed): boolean {
  const textOf = (routed: Routed) => place.render(routedBy({ ...routed, ejected: [...routed.ejected] }), 0);
  return textOf(left) === textOf(right);
}

/** Whether the reload is one for the ledger, or for this edge's own ejections alone. */
function isEjection(context: ChangeContext, { served }: UpstreamState, { content }: Wanted): boolean {
  return served !== null && isSameText(context.place, { content, ejected: [] }, { ...served, ejected: [] });
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

/** Writes an upstream's file for an nginx that does not run yet; whether it came to read it is found out later. */
export async function announce(
  context: ChangeContext,
  before: UpstreamState,
  { content, revision, ejected }: Wanted,
): Promise<UpstreamState> {
  const digest = contentDigest(content);
  const { attempt: written } = before;
  if (written?.outcome === "open" && written.revision === revision && written.digest === digest)
    return before;
  const generation = before.generation + 1;
  const attempt: Attempt = {
    ...{ content, revision, digest, generation, ejected: [...ejected] },
    outcome: "open",
    oldWorkers: [],
  };
  await putInPlace(context, attempt);
  return saved(context, { ...before, generation: attempt.generation, attempt });
}

/** Has nginx test a content, so that a commit finds nothing to object to. */
export function rehearse(
  { place }: ChangeContext,
  content: UpstreamContent,
  ejected: readonly string[],
): Promise<EdgeResult<void>> {
  return place.rehearse(routedBy({ content, ejected: [...ejected] }));
}

/** Renders, tests, renames into place, reloads, confirms; after a failure the last confirmed content is back. */
export async function change(
  context: ChangeContext,
  before: UpstreamState,
  wanted: Wanted,
): Promise<Changed> {
  const { place } = context;
  const startedAt = performance.now();
  const rested = await untilAtRest(place, context.confirmDeadlineMs);
  if (!rested.ok) return { state: before, result: rested };
  const attempt: Attempt = {
    content: wanted.content,
    revision: wanted.revision,
    digest: contentDigest(wanted.content),
    ejected: [...wanted.ejected],
    generation: before.generation + 1,
    outcome: "open",
    oldWorkers: place.workers(),
  };
  const begun = await saved(context, { ...before, generation: attempt.generation, attempt });
  const hear = await listenTo(place.errorLog);

  await putInPlace(context, attempt);
  const tested = await place.test();
  if (!tested.ok) {
    await putBack(context, before, attempt);
    return { state: await saved(context, { ...begun, attempt: givenUp(before.attempt) }), result: tested };
  }
  const counts = isEjection(context, before, wanted)
    ? { ejections: begun.ejections + 1 }
    : { reloads: begun.reloads + 1 };
  await place.beforeReload();
  const reloaded = await reload({
    place,
    upstream: attempt.content,
    generation: attempt.generation,
    oldWorkers: attempt.oldWorkers,
    withinMs: context.confirmDeadlineMs,
  });
  await place.afterReload();
  const turnoverMs = performance.now() - startedAt;
  if (reloaded.ok) {
    const served = renditionOf(attempt);
    return {
      state: await saved(context, { ...begun, served, attempt: null, ...counts, turnoverMs }),
      result: reloaded,
    };
  }
  await putBack(context, before, attempt);
  // A master that was only slow may have read the new file: this makes it read the old one again.
  signal(place.master, "SIGHUP");
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
async function concluded(context: ChangeContext, state: UpstreamState): Promise<UpstreamState | null> {
  const { attempt } = state;
  if (attempt?.outcome !== "open") return null;
  const { place, confirmDeadlineMs: withinMs } = context;
  if (!(await untilAtRest(place, withinMs)).ok) return null;
  if ((await place.servedGeneration(attempt.content)) !== attempt.generation) return null;
  const startedAt = performance.now();
  const settled = () => {
    if (place.retiresWorkers) retire(attempt.oldWorkers);
    return attempt.oldWorkers.every((worker) => place.hasLetGo(worker, startedAt));
  };
  const retired = await until(settled, { everyMs: 5, withinMs });
  if (!retired) return null;
  const turnoverMs = performance.now() - startedAt;
  const served = renditionOf(attempt);
  return saved(context, { ...state, served, attempt: null, reloads: state.reloads + 1, turnoverMs });
}

async function putInPlace({ place }: ChangeContext, rendition: Rendition): Promise<void> {
  const text = place.render(routedBy(rendition), rendition.generation);
  await writeDurably(place.upstreamFile(rendition.content), text);
}

/** Makes sure of an upstream in a running nginx: by looking where that is enough, else by a reload. */
export async function settle(context: ChangeContext, state: UpstreamState): Promise<Changed> {
  const { served, attempt } = state;
  const known = attempt?.content ?? served?.content;
  const answer = known ? await context.place.servedGeneration(known) : null;
  if (attempt === null && answer === (served?.generation ?? null)) return { state, result: ok(undefined) };
  const ended = await concluded(context, state);
  if (ended) return { state: ended, result: ok(undefined) };
  if (served) return change(context, state, served);
  const forgotten = { ...state, attempt: null };
  await saveState(context.layout, forgotten);
  return { state: forgotten, result: ok(undefined) };
}

async function putBack(
  context: ChangeContext,
  { served }: UpstreamState,
  { content }: Attempt,
): Promise<void> {
  if (served === null) await rm(context.place.upstreamFile(content), { force: true });
  else await putInPlace(context, served);
}

function givenUp(attempt: Attempt | null): Attempt | null {
  return attempt && { ...attempt, outcome: "given-up" };
}

function renditionOf({ content, revision, digest, generation, ejected }: Attempt): Rendition {
  return { content, revision, digest, generation, ejected };
}

async function saved({ layout }: ChangeContext, state: UpstreamState): Promise<UpstreamState> {
  await saveState(layout, state);
  return state;
}
