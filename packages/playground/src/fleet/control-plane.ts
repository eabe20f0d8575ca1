import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { stringify } from "yaml";
import { z } from "zod";
import { type Holder, processesHolding } from "../processes/holders.ts";
import type { Program } from "../processes/program.ts";
import type { Yard } from "../processes/yard.ts";
import { until } from "../until.ts";
import { Api } from "./api.ts";
import { CONTROL_PLANE_PROGRAM } from "./repository.ts";

/** From its start to an answer; it may have to take over a nats-server first. */
const READY_DEADLINE_MS = 20_000;

const STOP_GRACE_MS = 10_000;

const Endpoints = z.object({ http: z.url(), nats: z.string() });

export type ControlPlaneOptions = {
  readonly httpPort: number;
  readonly natsPort: number;
  readonly hosts: readonly { readonly id: string; readonly tokenFile: string }[];
  /** For its Node. */
  readonly nodeArgs?: readonly string[];
};

/** A control plane that can be killed and started again, with its own nats-server. */
export class ControlPlane {
  readonly #yard: Yard;
  readonly #dataDir: string;
  readonly #configFile: string;
  readonly #nodeArgs: readonly string[];
  #program: Program | undefined;
  #endpoints: z.infer<typeof Endpoints> | undefined;

  constructor(yard: Yard, { httpPort, natsPort, hosts, nodeArgs = [] }: ControlPlaneOptions) {
    this.#yard = yard;
    this.#nodeArgs = nodeArgs;
    this.#dataDir = yard.path("control-plane");
    this.#configFile = yard.path("control-plane.yaml");
    mkdirSync(this.#dataDir);
    const config = {
      dataDir: this.#dataDir,
      http: { listen: `127.0.0.1:${httpPort}` },
      nats: { managed: { binary: "nats-server", listen: `127.0.0.1:${natsPort}` } },
      hosts,
    };
    writeFileSync(this.#configFile, stringify(config));
  }

  /** Starts it and waits until it is ready. */
  async start(): Promise<void> {
    const endpointsFile = `${this.#dataDir}/endpoints.json`;
    // The last start's would pass for this one's.
    rmSync(endpointsFile, { force: true });
    this.#program = this.#yard.start({
      name: "control-plane",
      command: process.execPath,
      args: [...this.#nodeArgs, CONTROL_PLANE_PROGRAM, "--config", this.#configFile],
    });
    const ready = until(
      "the control plane's endpoints.json",
      () => Endpoints.parse(JSON.parse(readFileSync(endpointsFile, "utf8"))),
      READY_DEADLINE_MS,
    );
    this.#endpoints = await this.#program.survives(ready);
  }

  /** Copies its ledger, as it runs. */
  backUp(file: string): Promise<void> {
    return this.#maintain("backup", file);
  }

  /** Puts a backup in place of its ledger, as it runs. */
  restore(file: string): Promise<void> {
    return this.#maintain("restore", file);
  }

  #maintain(verb: string, file: string): Promise<void> {
    const args = [CONTROL_PLANE_PROGRAM, "--config", this.#configFile, verb, file];
    return this.#yard.run({ name: verb, command: process.execPath, args });
  }

  get api(): Api {
    return new Api(this.#running.endpoints.http, readFileSync(`${this.#dataDir}/admin.token`, "utf8").trim());
  }

  get httpUrl(): string {
    return this.#running.endpoints.http;
  }

  get natsUrl(): string {
    return this.#running.endpoints.nats;
  }

  get dataDir(): string {
    return this.#dataDir;
  }

  /** SIGKILL. Its nats-server lives on. */
  async kill(): Promise<void> {
    await this.#running.program.kill();
  }

  /** SIGTERM. Its nats-server ends with it. */
  async stop(): Promise<void> {
    await this.#running.program.stop(STOP_GRACE_MS);
  }

  /** Its nats-server, which others of this machine's must not be taken for. */
  natsServer(): Holder {
    const found = processesHolding(this.#dataDir).find(({ name }) => name === "nats-server");
    if (found === undefined) throw new Error("the control plane's nats-server does not run");
    return found;
  }

  get #running() {
    if (this.#program === undefined || this.#endpoints === undefined) {
      throw new Error("the control plane was not started yet");
    }
    return { program: this.#program, endpoints: this.#endpoints };
  }
}
