import { chmod, mkdir } from "node:fs/promises";
import type { UpstreamContent } from "@siding/shared/command";
import type { UpstreamName } from "@siding/shared/ids";
import { err, failure, ok } from "@siding/shared/result";
import type { AppliedUpstream, Edge, EdgeFacts, EdgeResult, Wanted } from "../../ports/edge.ts";
import { canBalance, type NginxFeatures, readFeatures } from "./binary.ts";
import {
  announce,
  type ChangeContext,
  change,
  isServedAlready,
  noteRevision,
  rehearse,
  settle,
} from "./change.ts";
import { ensureText } from "./durable-file.ts";
import { type EdgeFolders, EdgeLayout } from "./layout.ts";
import { isAlive, type ProcessRef } from "./processes.ts";
import { renderBleed, renderShared } from "./render-included.ts";
import { loadStates, servedOf, type UpstreamState, unknownUpstream } from "./state.ts";
import { Turns } from "./turns.ts";
import { UserNginx, type UserNginxConfig } from "./user-nginx.ts";

export interface IncludeEdgeConfig extends EdgeFolders, UserNginxConfig {
  /** The nginx program. */
  readonly nginx: string;
  /** How long a reload may take to show its effect. */
  readonly confirmDeadlineMs: number;
}

/** Its workers go on when a master dies, so nothing is lost by looking seldom. */
const lookForDeathEveryMs = 250;

/** The `include` mode of design section 5: the user's nginx lists the hosts itself, and is reloaded. */
export class IncludeEdge implements Edge {
  readonly #config: IncludeEdgeConfig;
  readonly #states = new Map<UpstreamName, UpstreamState>();
  readonly #turns = new Turns();
  #layout: EdgeLayout | null = null;
  #nginx: UserNginx | null = null;
  #features: NginxFeatures | null = null;
  #master: ProcessRef | null = null;

  constructor(config: IncludeEdgeConfig) {
    this.#config = config;
  }

  /** The user's nginx reads what is written whenever the user starts it: there is nothing to wait for. */
  start(): Promise<EdgeResult<EdgeFacts>> {
    return this.#turns.take(async () => {
      const { nginx, includeDir, runDir, dataDir, statusPort } = this.#config;
      const layout = EdgeLayout.of({ includeDir, runDir, dataDir });
      if (!layout.ok) return layout;
      const features = await readFeatures(nginx);
      if (!features.ok) return features;
      this.#layout = layout.value;
      this.#features = features.value;
      this.#nginx = new UserNginx(nginx, layout.value, features.value, this.#config);
      const { includes, states, folders } = layout.value;
      for (const path of [includes, folders.runDir, states]) await mkdir(path, { recursive: true });
      // Workers of another user look for the flag there.
      await chmod(folders.runDir, 0o755);
      await ensureText(layout.value.sharedFile, renderShared(features.value, statusPort));
      await ensureText(layout.value.bleedFile, renderBleed(layout.value.bleedFlag));
      const known = await loadStates(layout.value);
      if (!known.ok) return known;
      for (const state of known.value) this.#states.set(state.upstream, state);
      const warnings = await this.#settleAll();
      const inner = this.#master ? "taken-over" : "not-running";
      return ok({ nginxVersion: features.value.version, inner, served: this.#served(), warnings });
    });
  }

  apply(
    content: UpstreamContent,
    revision: number,
    ejected: readonly string[] = [],
  ): Promise<EdgeResult<AppliedUpstream>> {
    return this.#turns.take(async () => {
      const { upstream } = content;
      const wanted: Wanted = { content, revision, ejected };
      const able = this.#canServe(content);
      if (!able.ok) return able;
      const context = await this.#context();
      if (!context.ok) return this.#announced(wanted, context);
      const state = await this.#settled(context.value, upstream);
      const same = await isServedAlready(context.value, state, wanted);
      const act = same ? noteRevision : change;
      const changed = await act(context.value, state, wanted);
      this.#states.set(upstream, changed.state);
      if (!changed.result.ok) return this.#explained(changed.result);
      const served = servedOf(changed.state);
      if (served === null) throw new Error(`'${upstream}' was applied and is not served`);
      return ok({ ...served, reloaded: !same });
    });
  }

  prepare(content: UpstreamContent, ejected: readonly string[]): Promise<EdgeResult<void>> {
    return this.#turns.take(async () => {
      const able = this.#canServe(content);
      if (!able.ok) return able;
      const context = await this.#context();
      return context.ok ? rehearse(context.value, content, ejected) : context;
    });
  }

  /** Only the user starts the user's nginx; this says whether that has happened. */
  recover(): Promise<EdgeResult<{ recoveryMs: number }>> {
    return this.#turns.take(async () => {
      const context = await this.#context();
      return context.ok ? ok({ recoveryMs: 0 }) : context;
    });
  }

  watchDown(callback: () => void): () => void {
    const timer = setInterval(() => {
      const master = this.#master;
      if (master === null || isAlive(master)) return;
      this.#master = null;
      callback();
    }, lookForDeathEveryMs);
    return () => clearInterval(timer);
  }

  /** The user's nginx runs on. */
  stop(): Promise<void> {
    this.#master = null;
    this.#nginx = null;
    return Promise.resolve();
  }

  async #context(): Promise<EdgeResult<ChangeContext>> {
    const { pidFile, confirmDeadlineMs } = this.#config;
    const master = (await this.#nginx?.master()) ?? null;
    this.#master = master;
    if (this.#nginx && this.#layout && master) {
      return ok({ place: this.#nginx.place(master), layout: this.#layout, confirmDeadlineMs });
    }
    const message = `your nginx does not run (no master by ${pidFile}); Siding reloads it and does not start it. What it includes is written: start it`;
    return err(failure("edge-nginx-down", message));
  }

  async #settleAll(): Promise<string[]> {
    const context = await this.#context();
    if (!context.ok) return [context.error.message];
    const warnings: string[] = [];
    for (const state of [...this.#states.values()]) {
      const settled = await settle(context.value, state);
      this.#states.set(state.upstream, settled.state);
      if (!settled.result.ok) warnings.push(`${state.upstream}: ${settled.result.error.message}`);
    }
    return warnings;
  }

  /** What was written for an nginx that did not run may be served by now. */
  async #settled(context: ChangeContext, upstream: UpstreamName): Promise<UpstreamState> {
    const state = this.#states.get(upstream) ?? unknownUpstream(upstream);
    if (state.attempt === null) return state;
    const settled = await settle(context, state);
    this.#states.set(upstream, settled.state);
    return settled.state;
  }

  /** The file comes before the nginx that needs its name. */
  async #announced<T>(wanted: Wanted, failed: EdgeResult<T> & { ok: false }): Promise<EdgeResult<never>> {
    const { upstream } = wanted.content;
    const state = this.#states.get(upstream) ?? unknownUpstream(upstream);
    if (this.#nginx && this.#layout) {
      const place = this.#nginx.place({ pid: 0, startTicks: 0 });
      const { confirmDeadlineMs } = this.#config;
      const context = { place, layout: this.#layout, confirmDeadlineMs };
      this.#states.set(upstream, await announce(context, state, wanted));
    }
    return failed;
  }

  #canServe({ upstream, protocol, balance }: UpstreamContent): EdgeResult<void> {
    if (protocol === "tcp") {
      const message = `upstream ${upstream} is TCP, and mode include is for HTTP: use mode inner on this edge, or another edge for it`;
      return err(failure("edge-config-refused", message));
    }
    return this.#features ? canBalance(this.#features, balance) : ok(undefined);
  }

  #explained(failed: EdgeResult<void> & { ok: false }): EdgeResult<never> {
    const { code, message } = failed.error;
    if (code !== "edge-reload-without-effect" || !this.#layout) return failed;
    const hint = `does the http block of your nginx include ${this.#layout.includes}/*.conf?`;
    return err(failure(code, `${message}; ${hint}`));
  }

  #served() {
    return [...this.#states.values()].flatMap((state) => servedOf(state) ?? []);
  }
}
