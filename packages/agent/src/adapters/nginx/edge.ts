import { chmod, mkdir, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { UpstreamContent } from "@siding/shared/command";
import type { UpstreamName } from "@siding/shared/ids";
import { err, failure, ok } from "@siding/shared/result";
import type {
  AppliedUpstream,
  Edge,
  EdgeFacts,
  EdgeResult,
  ServedUpstream,
  Wanted,
} from "../../ports/edge.ts";
import { canBalance, readFeatures } from "./binary.ts";
import {
  type ChangeContext,
  type Changed,
  change,
  isServedAlready,
  noteRevision,
  rehearse,
  settle,
} from "./change.ts";
import { ensureText } from "./durable-file.ts";
import {
  findInner,
  type Inner,
  innerPlace,
  putInCharge,
  removeStrayFiles,
  servesSomebody,
  startInner,
} from "./inner.ts";
import { type EdgeFolders, EdgeLayout, type UpstreamPlace } from "./layout.ts";
import { readLimits } from "./machine-limits.ts";
import { retireOrphans } from "./orphans.ts";
import { isRunning } from "./place.ts";
import { type MainSettings, renderInclude, renderMain, renderUpstream } from "./render.ts";
import { loadStates, routedBy, saveState, servedOf, type UpstreamState, unknownUpstream } from "./state.ts";
import { endAll } from "./stop.ts";
import { canStream, findStream } from "./stream-module.ts";
import { asResult, Turns } from "./turns.ts";

export interface NginxEdgeConfig extends EdgeFolders {
  /** The nginx program. */
  readonly nginx: string;
  /** Who the workers run as, where the agent is root; null leaves it to how nginx was built. */
  readonly workerUser: string | null;
  /** How long a reload may take to show its effect. */
  readonly confirmDeadlineMs: number;
}

/**
 * Its workers go on when a master dies, so nothing is lost by looking seldom; a look costs 20 microseconds and the
 * agent shall idle below 0.1 % of a core.
 */
const lookForDeathEveryMs = 250;

/** The `inner` mode of design section 5: an nginx of our own between the user's nginx and the hosts. */
export class NginxEdge implements Edge {
  readonly #config: NginxEdgeConfig;
  readonly #states = new Map<UpstreamName, UpstreamState>();
  #settings: MainSettings | null = null;
  #inner: Inner | null = null;
  readonly #turns = new Turns();

  constructor(config: NginxEdgeConfig) {
    this.#config = config;
  }

  start(lists: readonly Wanted[] | null = []): Promise<EdgeResult<EdgeFacts>> {
    return this.#turns.take(async () => {
      // Nobody is served between the look that found no nginx and the start of one.
      const settings = this.#settings ? ok(this.#settings) : await this.#prepare();
      if (!settings.ok) return settings;
      this.#settings = settings.value;
      const states = await loadStates(settings.value.layout);
      if (!states.ok) return states;
      for (const state of states.value) this.#states.set(state.upstream, state);
      return this.#serve(settings.value, lists);
    });
  }

  apply(
    content: UpstreamContent,
    revision: number,
    ejected: readonly string[] = [],
  ): Promise<EdgeResult<AppliedUpstream>> {
    return this.#turns.take(async () => {
      const context = this.#context();
      return context.ok ? this.#apply(context.value, { content, revision, ejected }) : context;
    });
  }

  async #apply(context: ChangeContext, wanted: Wanted): Promise<EdgeResult<AppliedUpstream>> {
    const { content } = wanted;
    const able = this.#canServe(context, content);
    if (!able.ok) return able;
    const state = this.#states.get(content.upstream) ?? unknownUpstream(content.upstream);
    const same = await isServedAlready(context, state, wanted);
    const act = same ? noteRevision : change;
    const served = this.#noted(await act(context, state, wanted));
    if (!served.ok) return served;
    // Only now: the user's nginx shall not be offered a name behind which nobody listens.
    await this.#writeInclude(context.layout, content);
    return ok({ ...served.value, reloaded: !same });
  }

  prepare(content: UpstreamContent, ejected: readonly string[]): Promise<EdgeResult<void>> {
    return this.#turns.take(async () => {
      const context = this.#context();
      if (!context.ok) return context;
      const able = this.#canServe(context.value, content);
      if (!able.ok) return able;
      return rehearse(context.value, content, ejected);
    });
  }

  recover(): Promise<EdgeResult<{ recoveryMs: number }>> {
    return this.#turns.take(async () => {
      const settings = this.#settings;
      if (!settings) return err(failure("edge-nginx-down", "the edge was not started"));
      const startedAt = performance.now();
      if (!isRunning(this.#inner)) {
        const replaced = await this.#replace(settings, []);
        if (!replaced.ok) return replaced;
      }
      const retired = await this.#retireOrphans(settings.layout);
      return retired.ok ? ok({ recoveryMs: performance.now() - startedAt }) : retired;
    });
  }

  watchDown(callback: () => void): () => void {
    let reported: Inner | null = null;
    const timer = setInterval(() => {
      const inner = this.#inner;
      if (inner === null || inner === reported || isRunning(inner)) return;
      reported = inner;
      callback();
    }, lookForDeathEveryMs);
    return () => clearInterval(timer);
  }

  async stop(): Promise<void> {
    const stopped = await this.#turns.take(async () => {
      const settings = this.#settings;
      this.#inner = null;
      this.#settings = null;
      if (settings) await endAll(settings.layout);
      return ok(undefined);
    });
    if (!stopped.ok) throw new Error(stopped.error.message, { cause: stopped.error.cause });
  }

  async #prepare(): Promise<EdgeResult<MainSettings>> {
    const { nginx, workerUser, includeDir, runDir, dataDir } = this.#config;
    const layout = EdgeLayout.of({ includeDir, runDir, dataDir });
    if (!layout.ok) return layout;
    const features = await readFeatures(nginx);
    if (!features.ok) return features;
    const { folders, includes, streamIncludes, states } = layout.value;
    for (const path of [includes, streamIncludes, folders.runDir, states])
      await mkdir(path, { recursive: true });
    await chmod(folders.runDir, 0o755);
    const stream = await findStream(nginx, features.value, folders.runDir);
    const limits = await readLimits();
    return ok({ layout: layout.value, features: features.value, stream, limits, workerUser });
  }

  async #serve(settings: MainSettings, lists: readonly Wanted[] | null): Promise<EdgeResult<EdgeFacts>> {
    const { layout, features } = settings;
    const warnings = await closedFolders(layout.folders.runDir);
    this.#inner = await findInner(layout);
    const inner = this.#inner ? "taken-over" : "started";
    if (this.#inner) warnings.push(...(await this.#takeOver(this.#inner, settings)));
    else if (lists === null && !(await servesSomebody(layout))) {
      return ok({ nginxVersion: features.version, inner: "cold", served: this.#served(), warnings });
    } else {
      const replaced = await this.#replace(settings, lists ?? []);
      if (!replaced.ok) return replaced;
      warnings.push(...replaced.value);
    }
    const orphans = await this.#retireOrphans(layout);
    if (!orphans.ok) warnings.push(orphans.error.message);
    for (const { served } of this.#states.values()) {
      if (served === null) continue;
      const written = await asResult(async () => ok(await this.#writeInclude(layout, served.content)));
      if (!written.ok) warnings.push(written.error.message);
    }
    // An edge that has come back from mode include would leave its server behind in the user's nginx.
    await rm(layout.sharedFile, { force: true });
    return ok({ nginxVersion: features.version, inner, served: this.#served(), warnings });
  }

  /** Leaves a healthy nginx alone, and settles what an earlier agent left undecided. Returns what it could not. */
  async #takeOver(inner: Inner, settings: MainSettings): Promise<string[]> {
    const warnings: string[] = [];
    const context = this.#contextOf(inner, settings);
    for (const state of [...this.#states.values()]) {
      const settled = await settle(context, state);
      this.#states.set(state.upstream, settled.state);
      if (!settled.result.ok) warnings.push(`${state.upstream}: ${settled.result.error.message}`);
    }
    const written = await asResult(async () => ok(await this.#ensureFiles(inner, settings)));
    return written.ok ? warnings : [...warnings, written.error.message];
  }

  /** The files as this agent would write them; nginx reads them at the next reload. */
  async #ensureFiles({ folder }: Inner, settings: MainSettings): Promise<void> {
    const served = [...this.#states.values()].flatMap((state) => state.served ?? []);
    await ensureText(folder.config, renderMain(settings, folder));
    for (const rendition of served) {
      const text = renderUpstream(settings, folder, routedBy(rendition), rendition.generation);
      await ensureText(folder.upstreamFile(rendition.content), text);
    }
    await removeStrayFiles(
      folder,
      served.map(({ content }) => content),
    );
  }

  /**
   * A new inner nginx with what was confirmed, which decides whatever was undecided. No request reaches it before it
   * serves these lists. Returns why one of them is not served.
   */
  async #replace(settings: MainSettings, lists: readonly Wanted[]): Promise<EdgeResult<string[]>> {
    const states = [...this.#states.values()];
    const renditions = states.flatMap((state) => state.served ?? []);
    const started = await startInner(this.#config.nginx, settings, renditions);
    if (!started.ok) return started;
    const warnings: string[] = [];
    // A disk that takes nothing keeps nobody from being served what was confirmed.
    const tried = async (upstream: UpstreamName, work: Parameters<typeof asResult>[0]) => {
      const done = await asResult(work);
      if (!done.ok) warnings.push(`${upstream}: ${done.error.message}`);
    };
    for (const state of states.filter(({ attempt }) => attempt !== null)) {
      const decided = { ...state, attempt: null };
      this.#states.set(state.upstream, decided);
      await tried(state.upstream, () => ok(saveState(settings.layout, decided)));
    }
    const context = this.#contextOf(started.value, settings);
    for (const wanted of lists) await tried(wanted.content.upstream, () => this.#apply(context, wanted));
    await putInCharge(settings.layout, started.value);
    this.#inner = started.value;
    return ok(warnings);
  }

  #retireOrphans(layout: EdgeLayout): Promise<EdgeResult<void>> {
    const known = [...this.#states.values()].flatMap(
      (state) => (state.served ?? state.attempt)?.content ?? [],
    );
    return retireOrphans(layout, known, this.#config.confirmDeadlineMs);
  }

  async #writeInclude(layout: EdgeLayout, upstream: UpstreamPlace): Promise<void> {
    await ensureText(layout.includeFile(upstream), renderInclude(layout, upstream));
  }

  #canServe({ layout }: ChangeContext, content: UpstreamContent): EdgeResult<void> {
    const fits = layout.fits(content);
    if (!fits.ok || !this.#settings) return fits;
    const { features, stream } = this.#settings;
    const able = canBalance(features, content.balance);
    return able.ok ? canStream(stream, content) : able;
  }

  #noted({ state, result }: Changed): EdgeResult<ServedUpstream> {
    this.#states.set(state.upstream, state);
    const served = servedOf(state);
    if (!result.ok) return result;
    if (served === null) throw new Error(`'${state.upstream}' was applied and is not served`);
    return ok(served);
  }

  #served(): ServedUpstream[] {
    return [...this.#states.values()].flatMap((state) => servedOf(state) ?? []);
  }

  #context(): EdgeResult<ChangeContext> {
    if (this.#settings && isRunning(this.#inner)) return ok(this.#contextOf(this.#inner, this.#settings));
    return err(failure("edge-nginx-down", "the inner nginx has no master process"));
  }

  #contextOf(inner: Inner, settings: MainSettings): ChangeContext {
    const { nginx: binary, confirmDeadlineMs } = this.#config;
    return { place: innerPlace(binary, settings, inner), layout: settings.layout, confirmDeadlineMs };
  }
}

/** Folders on the way to the sockets that are closed to others: workers of another user would answer 502. */
async function closedFolders(path: string): Promise<string[]> {
  const closed: string[] = [];
  for (let folder = path; folder !== dirname(folder); folder = dirname(folder)) {
    const { mode } = await stat(folder);
    if ((mode & 0o001) === 0)
      closed.push(`${folder} is closed to nginx workers of other users; chmod o+x opens it`);
  }
  return closed;
}
