import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { ControlPlaneId, RolloutId } from "@siding/shared/ids";
import { err, failure, ok, type Result } from "@siding/shared/result";
import { subjects } from "@siding/shared/subjects";
import type { Logger } from "pino";
import { DownloadPlaces } from "./artifacts/places.ts";
import { ArtifactStore } from "./artifacts/store.ts";
import { UrlFetcher } from "./artifacts/url-fetcher.ts";
import type { Config, ListenAddress } from "./config.ts";
import { writeDurably } from "./data-dir/durable-file.ts";
import { keptPort } from "./data-dir/ports.ts";
import { keptSecret } from "./data-dir/secret.ts";
import { BeatStore } from "./fleet/beats.ts";
import { createApi } from "./http/app.ts";
import { Tokens } from "./http/auth.ts";
import { type Desk, type Trouble, viewOf } from "./http/desk.ts";
import type { OpenStreams } from "./http/event-stream.ts";
import { Metrics } from "./http/metrics.ts";
import { type HttpServer, startHttpServer } from "./http/server.ts";
import { finishRestore } from "./ledger/restore.ts";
import type { LedgerState } from "./ledger/state.ts";
import { type Ledger, openLedger } from "./ledger/store.ts";
import { Dispatcher } from "./messaging/dispatcher.ts";
import { intake } from "./messaging/intake.ts";
import { Link } from "./messaging/link.ts";
import { ManagedNats } from "./messaging/managed-nats.ts";
import { Reception } from "./messaging/reception.ts";
import { Catalogue } from "./orchestrator/catalogue.ts";
import { decideAll } from "./orchestrator/decide.ts";
import { Orchestrator } from "./orchestrator/loop.ts";
import { version } from "./version.ts";

/** Where things are in the data directory. */
export const dataFiles = {
  lock: "lock",
  restoreLock: "restore.lock",
  ledger: "ledger.db",
  ports: "ports.json",
  endpoints: "endpoints.json",
  adminToken: "admin.token",
  nats: "nats",
  artifacts: "artifacts",
} as const;

const time = { monotonicMs: () => performance.now(), wallMs: () => Date.now() };

/**
 * Starts everything, from the ledger up to the API, in a data directory that the caller holds; what it returns ends
 * everything in the opposite order. Errors: every part's own, with whatever was started already ended again.
 */
export async function startControlPlane(config: Config, log: Logger): Promise<Result<ControlPlane>> {
  await using stack = new AsyncDisposableStack();
  const at = (name: string) => join(config.dataDir, name);
  // The last start's would pass for ours.
  rmSync(at(dataFiles.endpoints), { force: true });
  const restored = finishRestore(at(dataFiles.ledger));
  if (!restored.ok) return restored;
  if (restored.value)
    log.warn({ event: "restored", aside: restored.value }, "a backup took the ledger's place");
  const ledger = beginEpoch(openLedger(at(dataFiles.ledger), time), stack);
  if (!ledger.ok) return ledger;
  const nats = await reachNats(config, at, log, stack);
  if (!nats.ok) return nats;
  const metrics = new Metrics(version);
  ledger.value.onCommit((_, durationMs) => metrics.committed(durationMs));
  const parts = { ...assemble(config, ledger.value, nats.value, metrics, log), metrics };
  const listen = await keptAddress(at(dataFiles.ports), "http", config.httpListen);
  const http = await startApi(config, { ...parts, listen }, log, stack);
  if (!http.ok) return http;
  parts.whenConnected(() => {
    const endpoints = { http: http.value.url, nats: nats.value.url };
    writeDurably(at(dataFiles.endpoints), `${JSON.stringify(endpoints)}\n`, 0o644);
    log.info({ event: "ready", ...endpoints, epoch: ledger.value.state.epoch }, "ready");
  });
  stack.defer(() => parts.orchestrator.stop());
  stack.defer(() => parts.link.stop());
  parts.link.start();
  parts.orchestrator.wake();
  const running = stack.move();
  return ok({ ailment: () => ailmentOf(parts), [Symbol.asyncDispose]: () => running.disposeAsync() });
}

/** A control plane at work, until it is disposed of. */
export interface ControlPlane extends AsyncDisposable {
  /** What a restart would mend, in words; null while all is well, or nothing that a restart would mend. */
  readonly ailment: () => string | null;
}

/** Rounds take milliseconds, with 10,000 agents a few hundred. */
const longestOverdueMs = 30_000;

/**
 * NATS away, a full disk, a ledger that can't be written: these are waited out, and /readyz says so. A restart would mend
 * neither, and with a ledger file that somebody has moved away it would begin an empty one.
 */
function ailmentOf({ orchestrator, link }: Parts): string | null {
  const { overdueMs } = orchestrator;
  if (overdueMs > longestOverdueMs) return `the loop has owed a round for ${Math.round(overdueMs)} ms`;
  return link.isTried ? null : "the connection to NATS is not tried any more";
}

/** Each start is an epoch of its own: agents refuse an older one, and an equal one of another process. */
function beginEpoch(opened: Result<Ledger>, stack: AsyncDisposableStack): Result<Ledger> {
  if (!opened.ok) return opened;
  const ledger = opened.value;
  stack.defer(() => ledger.close());
  const { state } = ledger;
  const controlPlaneId = ControlPlaneId.parse(randomBytes(12).toString("base64url"));
  const started = { type: "control-plane-started", epoch: state.epoch + 1, controlPlaneId, version } as const;
  const committed = ledger.commit(state.sequence, [started], "control-plane");
  return committed.ok ? ok(ledger) : committed;
}

interface NatsAccess {
  readonly url: string;
  readonly user: string;
  readonly password: string;
}

async function reachNats(
  { nats, hosts }: Config,
  at: (name: string) => string,
  log: Logger,
  stack: AsyncDisposableStack,
): Promise<Result<NatsAccess>> {
  if (nats.kind === "outside") return ok(nats);
  const managed = await ManagedNats.start({
    binary: nats.binary,
    folder: at(dataFiles.nats),
    listen: await keptAddress(at(dataFiles.ports), "nats", nats.listen),
    hosts: hosts.map(({ id, token }) => ({ hostId: id, token })),
    log,
  });
  if (managed.ok) stack.defer(() => managed.value.stop());
  return managed;
}

async function keptAddress(
  file: string,
  name: "http" | "nats",
  { host, port }: ListenAddress,
): Promise<ListenAddress> {
  return { host, port: await keptPort(file, name, host, port) };
}

interface Parts {
  readonly ledger: Ledger;
  readonly beats: BeatStore;
  readonly orchestrator: Orchestrator;
  readonly link: Link;
  readonly troubles: () => readonly Trouble[];
  /** Told once, at the first connection to NATS. */
  readonly whenConnected: (listener: () => void) => void;
}

/** The circle of the work: reports in, decisions, commits, commands out. */
function assemble({ hosts }: Config, ledger: Ledger, nats: NatsAccess, metrics: Metrics, log: Logger): Parts {
  const beats = new BeatStore(ledger.clock);
  const connected = Promise.withResolvers<void>();
  const dispatcher = new Dispatcher((subject, bytes) => link.publish(subject, bytes));
  const orchestrator = new Orchestrator({
    ledger,
    live: () => beats.view(),
    decide: decideAll,
    dispatch: (state, live, nowMs) => dispatcher.dispatch(state, live, nowMs),
    onRound: (durationMs) => metrics.rounded(durationMs),
    log,
  });
  const reception = new Reception({
    hosts: new Set(hosts.map(({ id }) => id)),
    acceptBeat: (beat) => beats.accept(beat),
    acceptReport: (report, unheard) => {
      beats.reported(report.hostId);
      const news = (state: LedgerState) => intake(state, report);
      orchestrator.hear({ news, by: `agent:${report.hostId}`, unheard });
    },
    wake: () => orchestrator.wake(),
    log,
  });
  const link = new Link({
    ...nats,
    subscriptions: {
      [subjects.allReports]: (subject, bytes) => reception.report(subject, bytes),
      [subjects.allBeats]: (subject, bytes) => reception.beat(subject, bytes),
    },
    onConnected: () => {
      beats.connected();
      connected.resolve();
      orchestrator.wake();
    },
    onDisconnected: () => {
      beats.disconnected();
      orchestrator.wake();
    },
    log,
  });
  const troubles = () => troublesOf(link, nats.url, orchestrator);
  const whenConnected = (listener: () => void) => void connected.promise.then(listener);
  return { ledger, beats, orchestrator, link, troubles, whenConnected };
}

function troublesOf(link: Link, url: string, { storageFailure }: Orchestrator): readonly Trouble[] {
  const troubles: Trouble[] = [];
  if (!link.isConnected) troubles.push({ what: "nats", message: `not connected to ${url}` });
  if (storageFailure) troubles.push({ what: "ledger", message: storageFailure.message });
  return troubles;
}

async function startApi(
  config: Config,
  { listen, ...parts }: Parts & { readonly listen: ListenAddress; readonly metrics: Metrics },
  log: Logger,
  stack: AsyncDisposableStack,
): Promise<Result<HttpServer>> {
  const adminToken = keptSecret(join(config.dataDir, dataFiles.adminToken));
  if (config.hosts.some(({ token }) => token === adminToken)) {
    return err(failure("token-conflict", "a host has the admin's token"));
  }
  const artifacts = new ArtifactStore(join(config.dataDir, dataFiles.artifacts), config.limits.artifactBytes);
  const desk: Desk = {
    ...parts,
    catalogue: new Catalogue(),
    artifacts,
    fetcher: new UrlFetcher(artifacts),
    downloads: new DownloadPlaces(),
    tokens: new Tokens(adminToken, config.hosts),
    declared: new Set(config.hosts.map(({ id }) => id)),
    newRolloutId: () => RolloutId.parse(`r-${randomBytes(6).toString("hex")}`),
    log,
  };
  parts.metrics.watch({ ...desk, view: () => viewOf(desk) });
  const open: OpenStreams = new Set();
  const server = await startHttpServer(createApi(desk, open, version), {
    listen,
    maxConnections: config.limits.httpConnections,
  });
  if (server.ok) {
    stack.defer(async () => {
      for (const stream of open) stream.close();
      await server.value.close();
    });
  }
  return server;
}
