import { chmodSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Member, UpstreamContent } from "@siding/shared/command";
import type { EdgeResult } from "../../../ports/edge.ts";
import { NginxEdge, type NginxEdgeConfig } from "../edge.ts";
import { nginxIn } from "../processes.ts";
import { type Front, type FrontServer, startFront, startFronts, startTcpFront } from "./front.ts";
import { Origin } from "./origin.ts";

/** An edge in folders of its own, with all that a test starts around it; `close` leaves nothing behind. */
export class Rig {
  readonly folder: string;
  readonly config: NginxEdgeConfig;
  edge: NginxEdge;
  readonly #origins: Origin[] = [];
  readonly #fronts: Pick<Front, "stop">[] = [];

  constructor(config: Partial<NginxEdgeConfig> = {}) {
    this.folder = realpathSync(mkdtempSync(join(tmpdir(), "siding-edge-")));
    // nginx workers are of another user.
    chmodSync(this.folder, 0o755);
    this.config = {
      nginx: "nginx",
      includeDir: join(this.folder, "etc"),
      runDir: join(this.folder, "run"),
      dataDir: join(this.folder, "data"),
      workerUser: null,
      confirmDeadlineMs: 10_000,
      ...config,
    };
    this.edge = new NginxEdge(this.config);
  }

  /** What an agent that was started anew works with. */
  async restartAgent() {
    this.edge = new NginxEdge(this.config);
    return value(await this.edge.start());
  }

  async origin(...args: Parameters<typeof Origin.listen>): Promise<Origin> {
    const origin = await Origin.listen(...args);
    this.#origins.push(origin);
    return origin;
  }

  async front(settings?: string): Promise<Front> {
    const front = await startFront({ ...this.config, folder: this.folder }, settings);
    this.#fronts.push(front);
    return front;
  }

  /** A front for TCP; `module` is where nginx has that from, null where it is built in. */
  async tcpFront(upstream: string, module: string | null): Promise<Front> {
    const front = await startTcpFront({ ...this.config, folder: this.folder }, { upstream, module });
    this.#fronts.push(front);
    return front;
  }

  /**
   * One nginx of the user's with these servers; their ports, in order.
   *
   * @param includeDir another than the edge's, to do without the edge
   */
  async fronts(
    servers: readonly FrontServer[],
    includeDir = this.config.includeDir,
  ): Promise<readonly number[]> {
    const folder = join(this.folder, `fronts-${this.#fronts.length}`);
    mkdirSync(folder);
    const fronts = await startFronts({ nginx: this.config.nginx, includeDir, folder }, servers);
    this.#fronts.push(fronts);
    return fronts.ports;
  }

  get current(): string {
    return join(this.config.runDir, "current");
  }
  get masterPid(): number {
    return Number.parseInt(readFileSync(join(this.current, "nginx.pid"), "utf8"), 10);
  }
  get workerPids(): number[] {
    const master = this.masterPid;
    return nginxIn(this.current).flatMap(({ pid }) => (pid === master ? [] : [pid]));
  }

  async close(): Promise<void> {
    for (const front of this.#fronts) await front.stop();
    await this.edge.stop();
    for (const origin of this.#origins) await origin.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The content of `web` with these members. */
export function web(members: readonly Member[], more: Partial<UpstreamContent> = {}): UpstreamContent {
  return {
    ...UpstreamContent.parse({
      upstream: "web",
      members,
      shares: [],
      balance: "round-robin",
      watch: [],
      checks: {},
    }),
    ...more,
  };
}

/** The value of a result that is expected to be good. */
export function value<T>(result: EdgeResult<T>): T {
  if (result.ok) return result.value;
  throw new Error(`${result.error.code}: ${result.error.message}`, { cause: result.error.cause });
}

/** What a failure says; empty where there was none. */
export function messageOf(result: EdgeResult<unknown>): string {
  return result.ok ? "" : result.error.message;
}
