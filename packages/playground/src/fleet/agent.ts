import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { stringify } from "yaml";
import type { Program } from "../processes/program.ts";
import type { Yard } from "../processes/yard.ts";
import { AGENT_PROGRAM } from "./repository.ts";

const STOP_GRACE_MS = 10_000;

export type AgentOptions = {
  readonly hostId: string;
  readonly address: string;
  readonly role: "host" | "edge";
  readonly tokenFile: string;
  readonly natsUrl: string;
  readonly controlPlaneUrl: string;
  /** In mode include, how to find the user's nginx; else the agent runs an inner one. */
  readonly userNginx?: UserNginx;
  /** `10s` where left out. */
  readonly beatInterval?: string;
  /** Its folder in the yard, where that is not named as the host. */
  readonly folder?: string;
  /** Program and arguments of another build of the agent; left out, the one of this checkout. */
  readonly build?: readonly string[];
};

export type EdgeMode = "inner" | "include";

/** The user's nginx, as an agent of mode include needs to know it. */
export type UserNginx = { readonly folder: string; readonly statusPort: number };

/** Longer than the longest request and the longest idle gap of the playground's clients. */
const BLEED = "1500ms";

/** An agent that can be killed and started again; what it has started lives on meanwhile. */
export class Agent {
  readonly hostId: string;
  readonly address: string;
  /** Everything on disk that belongs to this host. */
  readonly folder: string;
  readonly #options: AgentOptions;
  readonly #yard: Yard;
  readonly #configFile: string;
  readonly #build: readonly string[];
  #program: Program | undefined;

  constructor(yard: Yard, options: AgentOptions) {
    this.hostId = options.hostId;
    this.address = options.address;
    this.folder = yard.path(options.folder ?? options.hostId);
    this.#options = options;
    this.#yard = yard;
    this.#configFile = `${this.folder}/agent.yaml`;
    this.#build = options.build ?? [process.execPath, AGENT_PROGRAM];
    for (const folder of [this.folder, this.includeDir, this.runDir]) mkdirSync(folder, { recursive: true });
    writeFileSync(this.#configFile, stringify(this.#config(options)));
  }

  /** What the user's nginx includes. */
  get includeDir(): string {
    return `${this.folder}/nginx`;
  }

  /** Where the inner nginx lives. */
  get runDir(): string {
    return `${this.folder}/run`;
  }

  /** Its journal, and what its services print. */
  get dataDir(): string {
    return `${this.folder}/data`;
  }

  get releasesDir(): string {
    return `${this.folder}/releases`;
  }

  /** Another machine with the same disk, and so the same identity: what people get who copy an image. Not started yet. */
  clone(address: string): Agent {
    const clone = new Agent(this.#yard, { ...this.#options, address, folder: `${this.hostId}-clone` });
    for (const folder of ["dataDir", "releasesDir"] as const) {
      cpSync(this[folder], clone[folder], { recursive: true });
    }
    // Its holder does not run on that other machine.
    rmSync(`${clone.dataDir}/agent.lock`);
    return clone;
  }

  start(): void {
    this.#program = this.#yard.start({
      name: `agent-${basename(this.folder)}`,
      ...this.#command(),
    });
  }

  #command(...more: string[]): { readonly command: string; readonly args: readonly string[] } {
    const [command = "", ...args] = this.#build;
    return { command, args: [...args, "--config", this.#configFile, ...more] };
  }

  /** Of the process that was started last. */
  get pid(): number {
    if (this.#program === undefined) throw new Error(`the agent of ${this.hostId} was not started yet`);
    return this.#program.pid;
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    await this.#program?.kill();
  }

  /** SIGTERM. */
  async stop(): Promise<void> {
    await this.#program?.stop(STOP_GRACE_MS);
  }

  /** Stops the agent, and everything that it has started. */
  async teardown(): Promise<void> {
    await this.stop();
    await this.#yard.run({
      name: `teardown-${this.hostId}`,
      ...this.#command("--teardown"),
    });
  }

  get running(): boolean {
    return this.#program?.running ?? false;
  }

  #edgeConfig(userNginx: UserNginx | undefined): object {
    const common = { nginx: "nginx", includeDir: this.includeDir, runDir: this.runDir };
    if (userNginx === undefined) return { ...common, mode: "inner" };
    const { folder, statusPort } = userNginx;
    const files = { pidFile: `${folder}/nginx.pid`, config: `${folder}/nginx.conf` };
    return { ...common, mode: "include", ...files, statusPort, bleed: BLEED };
  }

  #config(options: AgentOptions): object {
    const { hostId, address, role, tokenFile, natsUrl, controlPlaneUrl, userNginx } = options;
    return {
      hostId,
      address,
      labels: { role: role === "host" ? "web" : "edge" },
      roles: [role],
      tokenFile,
      nats: { url: natsUrl },
      controlPlane: { url: controlPlaneUrl },
      dataDir: this.dataDir,
      releasesDir: this.releasesDir,
      beatInterval: options.beatInterval ?? "10s",
      ...(role === "edge" ? { edge: this.#edgeConfig(userNginx) } : {}),
    };
  }
}
