import { rm } from "node:fs/promises";
import type { UpstreamContent } from "@siding/shared/command";
import { contentDigest } from "@siding/shared/digest";
import { err, failure, ok } from "@siding/shared/result";
import type { EdgeResult, Wanted } from "../../ports/edge.ts";
import { ensureText, writeDurably } from "./durable-file.ts";
import type { EdgeLayout } from "./layout.ts";
import type { Place } from "./place.ts";
import { signal } from "./processes.ts";
import { type Attempt, type Rendition, routedBy, saveState, type UpstreamState } from "./state.ts";
import { listenTo, reload, retire, untilAtRest } from "./turnover.ts";
import { asResult } from "./turns.ts";
import { until } from "./waiting.ts";

/** What every change of an upstream needs to know. */
export interface ChangeContext {
  readonly place: Place;
  readonly layout: EdgeLayout;
  readonly confirmDeadlineMs: number;
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
export function noteRevision(context: ChangeContext, state: UpstreamState, wanted: Wanted): Changed {
  if (state.served === null) throw new Error(`'${state.upstream}' serves nothing yet`);
  const { content, revision, ejected } = wanted;
  const served = {
    ...state.served,
    content,
    revision,
    digest: contentDigest(content),
    ejected: [...ejected],
  };
  return { state: saved(context, { ...state, served }), result: ok(undefined) };
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
  const begun = { ...before, generation: attempt.generation, attempt };
  const noted = await asResult(() => ok(saveState(context.layout, begun)));
  if (!noted.ok) return { state: before, result: noted };
  const offered = await offer(context, before, attempt);
  if (!offered.ok) {
    const state = await remembered(context, { ...begun, attempt: givenUp(before.attempt) });
    return { state, result: offered };
  }
  const counts = isEjection(context, before, wanted)
    ? { ejections: begun.ejections + 1 }
    : { reloads: begun.reloads + 1 };
  return turnOver(context, { before, begun: { ...begun, ...counts }, attempt, startedAt });
}

interface Begun {
  readonly before: UpstreamState;
  readonly begun: UpstreamState;
  readonly attempt: Attempt;
  readonly startedAt: number;
}

/**
 * Puts the file in place for nginx to test, and waits for the moment to reload. What nginx or the disk does not take is
 * gone again, and the last good file is back.
 */
async function offer(
  context: ChangeContext,
  before: UpstreamState,
  attempt: Attempt,
): Promise<EdgeResult<void>> {
  const tested = await asResult(async () => {
    await putInPlace(context, attempt);
    const accepted = await context.place.test();
    if (accepted.ok) await context.place.beforeReload();
    return accepted;
  });
  if (tested.ok) return tested;
  const back = await asResult(async () => ok(await putBack(context, before, attempt)));
  // What lies there is nothing to go on with: it is tried again, whatever nginx said.
  return back.ok ? tested : back;
}

/** Reloads and confirms what was put in place. */
async function turnOver(
  context: ChangeContext,
  { before, begun, attempt, startedAt }: Begun,
): Promise<Changed> {
  const { place } = context;
  const hear = await listenTo(place.errorLog);
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
    const state = await remembered(context, { ...begun, served, attempt: null, turnoverMs });
    return { state, result: reloaded };
  }
  const back = await asResult(async () => ok(await putBack(context, before, attempt)));
  // A master that was only slow may have read the new file: this makes it read the old one again.
  if (back.ok) signal(place.master, "SIGHUP");
  const { code, message } = reloaded.error;
  const words = await hear();
  return {
    state: await remembered(context, { ...begun, attempt: givenUp(attempt) }),
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
  return remembered(context, { ...state, served, attempt: null, reloads: state.reloads + 1, turnoverMs });
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
  return { state: await remembered(context, { ...state, attempt: null }), result: ok(undefined) };
}

async function putBack(
  { place }: ChangeContext,
  { served }: UpstreamState,
  { content }: Attempt,
): Promise<void> {
  if (served === null) await rm(place.upstreamFile(content), { force: true });
  else await ensureText(place.upstreamFile(content), place.render(routedBy(served), served.generation));
}

function givenUp(attempt: Attempt | null): Attempt | null {
  return attempt && { ...attempt, outcome: "given-up" };
}

function renditionOf({ content, revision, digest, generation, ejected }: Attempt): Rendition {
  return { content, revision, digest, generation, ejected };
}

/**
 * What is so whether or not the disk takes it. Where it does not, the attempt stays open there, a later agent looks how it
 * has ended, and the next change says what is wrong.
 */
async function remembered({ layout }: ChangeContext, state: UpstreamState): Promise<UpstreamState> {
  await asResult(() => ok(saveState(layout, state)));
  return state;
}

function saved({ layout }: ChangeContext, state: UpstreamState): UpstreamState {
  saveState(layout, state);
  return state;
}
