import { rm, writeFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import type { EdgeResult } from "../../ports/edge.ts";
import { type NginxFeatures, testUserConfig } from "./binary.ts";
import { textOf, writeDurably } from "./durable-file.ts";
import type { EdgeLayout, UpstreamPlace } from "./layout.ts";
import type { Place } from "./place.ts";
import { isAlive, isMaster, isRetired, type ProcessRef, processOf, workersOf } from "./processes.ts";
import { renderIncluded, statusName } from "./render-included.ts";
import { servedGeneration } from "./status.ts";

/** How the user's nginx is found, asked and spared. */
export interface UserNginxConfig {
  /** Where its master writes its pid. */
  readonly pidFile: string;
  /** Its main config; null leaves it to how nginx was built. */
  readonly configFile: string | null;
  /** A port of 127.0.0.1 on which it answers what it has read. */
  readonly statusPort: number;
  /** Before a reload every answer closes its connection for so long; null reloads without. */
  readonly bleedMs: number | null;
  /** Reloads are at least so far apart. */
  readonly reloadIntervalMs: number;
}

/**
 * A worker that finishes its requests goes by its old list, and with buffered uploads it may open a connection to a removed
 * host late: so its end is waited for, but a websocket shall not hold a rollout.
 */
const exitPatienceMs = 2_000;

/** The user's own nginx, which Siding reloads and never starts, stops or configures beyond its included files. */
export class UserNginx {
  readonly #binary: string;
  readonly #layout: EdgeLayout;
  readonly #features: NginxFeatures;
  readonly #config: UserNginxConfig;
  #reloadedAtMs = Number.NEGATIVE_INFINITY;

  constructor(binary: string, layout: EdgeLayout, features: NginxFeatures, config: UserNginxConfig) {
    this.#binary = binary;
    this.#layout = layout;
    this.#features = features;
    this.#config = config;
  }

  /** Its running master; null where none runs. */
  async master(): Promise<ProcessRef | null> {
    const pid = Number.parseInt((await textOf(this.#config.pidFile)) ?? "", 10);
    return Number.isInteger(pid) && isMaster(pid) ? processOf(pid) : null;
  }

  place(master: ProcessRef): Place {
    const { statusPort, configFile } = this.#config;
    const test = () => testUserConfig(this.#binary, configFile);
    const place: Place = {
      master,
      servedGeneration: ({ upstream }) =>
        servedGeneration({ host: "127.0.0.1", port: statusPort }, statusName(upstream)),
      upstreamFile: (upstream) => this.#layout.includeFile(upstream),
      workers: () => workersOf(master),
      render: (content, generation) => renderIncluded(this.#features, statusPort, content, generation),
      test,
      rehearse: (content) => this.#rehearse(content, place.render(content, 0), test),
      beforeReload: () => this.#beforeReload(),
      afterReload: () => this.#afterReload(),
      hasLetGo: (worker, sinceMs) =>
        !isAlive(worker) || (isRetired(worker) && performance.now() - sinceMs > exitPatienceMs),
      retiresWorkers: false,
      errorLog: null,
    };
    return place;
  }

  /** nginx has one set of included files, so a test needs them in place for its few milliseconds. */
  async #rehearse(
    upstream: UpstreamPlace,
    text: string,
    test: () => Promise<EdgeResult<void>>,
  ): Promise<EdgeResult<void>> {
    const path = this.#layout.includeFile(upstream);
    const before = await textOf(path);
    await writeDurably(path, text);
    try {
      return await test();
    } finally {
      if (before === null) await rm(path, { force: true });
      else await writeDurably(path, before);
    }
  }

  async #beforeReload(): Promise<void> {
    const { bleedMs, reloadIntervalMs } = this.#config;
    await pause(Math.max(0, this.#reloadedAtMs + reloadIntervalMs - performance.now()));
    if (bleedMs === null) return;
    await writeFile(this.#layout.bleedFlag, "");
    await pause(bleedMs);
  }

  async #afterReload(): Promise<void> {
    this.#reloadedAtMs = performance.now();
    await rm(this.#layout.bleedFlag, { force: true });
  }
}
