import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ok, type Result } from "@siding/shared/result";
import type { Logger } from "pino";
import { readIfThere, writeDurably } from "../data-dir/durable-file.ts";
import { keptSecret } from "../data-dir/secret.ts";
import { controlPlaneUser, type NatsUser, natsServerConfig } from "./nats-config.ts";
import {
  awaitGreeting,
  endNats,
  findNats,
  greets,
  type NatsCommand,
  type NatsProcess,
  spawnNats,
} from "./nats-process.ts";

export interface ManagedNatsOptions {
  readonly binary: string;
  readonly folder: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly hosts: readonly NatsUser[];
  readonly log: Logger;
}

/** Between one death of the server and the next start; doubles up to the longest, and starts over once it has held. */
const shortestPauseMs = 100;
const longestPauseMs = 5_000;
const heldMs = 10_000;

/**
 * Our own nats-server: started with one user a host, started again when it dies, ended with us. One that a killed
 * control plane left behind is taken over as it runs, so that agents don't even notice; with another config it is
 * replaced on the same port.
 */
export class ManagedNats {
  readonly url: string;
  readonly user = controlPlaneUser;
  readonly password: string;
  readonly #options: ManagedNatsOptions;
  readonly #command: NatsCommand;
  readonly #stop = new AbortController();
  #server: NatsProcess;
  #supervision: Promise<void> = Promise.resolve();

  private constructor(
    options: ManagedNatsOptions,
    command: NatsCommand,
    password: string,
    server: NatsProcess,
  ) {
    const { host, port } = options.listen;
    this.#options = options;
    this.#command = command;
    this.#server = server;
    this.password = password;
    this.url = `nats://${host.includes(":") ? `[${host}]` : host}:${port}`;
  }

  /** Errors: `nats-not-startable`, `nats-not-listening`. */
  static async start(options: ManagedNatsOptions): Promise<Result<ManagedNats>> {
    mkdirSync(options.folder, { recursive: true, mode: 0o700 });
    const command: NatsCommand = {
      binary: options.binary,
      configFile: join(options.folder, "nats-server.conf"),
      logFile: join(options.folder, "nats-server.log"),
    };
    const secret = keptSecret(join(options.folder, "control-plane.secret"));
    const config = natsServerConfig({ ...options, secret, logFile: command.logFile });
    const isSame = readIfThere(command.configFile) === config;
    if (!isSame) writeDurably(command.configFile, config);
    const server = (await takeOver(command, options, isSame)) ?? (await launch(command, options));
    if (!server.ok) return server;
    const managed = new ManagedNats(options, command, secret, server.value);
    managed.#supervision = managed.#supervise();
    return ok(managed);
  }

  get pid(): number {
    return this.#server.pid;
  }

  /** Ends the server and its supervision. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#supervision;
    await endNats(this.#server);
  }

  async #supervise(): Promise<void> {
    const { signal } = this.#stop;
    const stopped = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    const { log } = this.#options;
    let pauseMs = shortestPauseMs;
    let startedMs = performance.now();
    while (!signal.aborted) {
      await Promise.race([this.#server.ended, stopped]);
      if (signal.aborted) return;
      if (performance.now() - startedMs > heldMs) pauseMs = shortestPauseMs;
      log.error({ event: "nats-server-died", natsPid: this.#server.pid, pauseMs }, "nats-server died");
      await Promise.race([sleep(pauseMs), stopped]);
      if (signal.aborted) return;
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
      startedMs = performance.now();
      const server = await launch(this.#command, this.#options);
      if (server.ok) this.#server = server.value;
      else log.error({ event: "nats-server-not-started", code: server.error.code }, server.error.message);
    }
  }
}

/** A left-over server with our very config that still answers goes on; any other is ended. */
async function takeOver(
  command: NatsCommand,
  { listen, log }: ManagedNatsOptions,
  isSame: boolean,
): Promise<Result<NatsProcess> | null> {
  const left = findNats(command.configFile);
  if (!left) return null;
  if (isSame && (await greets(listen))) {
    log.info({ event: "nats-server-taken-over", natsPid: left.pid }, "took over the running nats-server");
    return ok(left);
  }
  log.info(
    { event: "nats-server-replaced", natsPid: left.pid },
    "replacing the nats-server that was left over",
  );
  await endNats(left);
  return null;
}

async function launch(
  command: NatsCommand,
  { listen, log }: ManagedNatsOptions,
): Promise<Result<NatsProcess>> {
  const server = await spawnNats(command);
  if (!server.ok) return server;
  const greeted = await awaitGreeting(server.value, listen, command.logFile);
  if (greeted.ok) {
    log.info(
      { event: "nats-server-started", natsPid: server.value.pid, port: listen.port },
      "nats-server runs",
    );
    return server;
  }
  await endNats(server.value);
  return greeted;
}
