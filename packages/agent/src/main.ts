import { randomBytes } from "node:crypto";
import { realpathSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { hookKillGraceMs } from "@siding/shared/hooks";
import type { Incarnation } from "@siding/shared/ids";
import { requireSupportedNode } from "@siding/shared/node-version";
import { type Failure, ok, type Result } from "@siding/shared/result";
import { UnitVoice } from "@siding/systemd/notify";
import { pino } from "pino";
import { ChildLauncher } from "./adapters/hooks/child-launcher.ts";
import { HookPrograms } from "./adapters/hooks/hook-programs.ts";
import { JournalFile } from "./adapters/journal/journal-file.ts";
import { NatsLink } from "./adapters/nats/link.ts";
import { countOn } from "./adapters/network/connections.ts";
import { askHealth } from "./adapters/network/probe.ts";
import { readFeatures } from "./adapters/nginx/binary.ts";
import { NginxEdge } from "./adapters/nginx/edge.ts";
import { IncludeEdge } from "./adapters/nginx/include-edge.ts";
import { EdgeLayout } from "./adapters/nginx/layout.ts";
import { endAll } from "./adapters/nginx/stop.ts";
import { ChildDriver } from "./adapters/process/child-driver.ts";
import { CommandChecks, endForgottenChecks } from "./adapters/process/command-checks.ts";
import type { Policy } from "./adapters/process/policy.ts";
import { clearDrafts, ReleaseStore } from "./adapters/releases/release-store.ts";
import { localAddresses } from "./adapters/system/addresses.ts";
import { bootClock, readBootId } from "./adapters/system/boot-clock.ts";
import { takeInventory } from "./adapters/system/inventory.ts";
import { procLoad } from "./adapters/system/load.ts";
import { takeLock } from "./adapters/system/lock-file.ts";
import { SpareMemory } from "./adapters/system/spare-memory.ts";
import { SystemdDriver } from "./adapters/systemd/systemd-driver.ts";
import { UnitLauncher } from "./adapters/systemd/unit-launcher.ts";
import { readRequest, usage } from "./arguments.ts";
import { type AgentConfig, readConfig, readToken } from "./config.ts";
import { emptyJournal, type Journal } from "./machine/journal.ts";
import type { AgentIdentity } from "./machine/state.ts";
import type { Driver } from "./ports/driver.ts";
import type { Edge } from "./ports/edge.ts";
import type { Hooks } from "./ports/hooks.ts";
import type { Log } from "./ports/log.ts";
import { Agent } from "./shell/agent.ts";
import { stopServices } from "./teardown.ts";
import { agentVersion } from "./version.ts";

/** nginx shows a new configuration within a tenth of a second; what takes this long will not come. */
const edgeConfirmDeadlineMs = 10_000;

/** The look at the machine costs half a second of a core: not while everything else starts. */
const inventoryDelayMs = 30_000;

/** What systemd is told for services and hooks, for as long as the machine is up. */
const unitRunDir = "/run/siding/agent";

/** Everything of this machine that an agent needs; taken once, given back at the end. */
interface Rooms {
  readonly config: AgentConfig;
  readonly token: string;
  readonly store: JournalFile;
  readonly journal: Journal | null;
  readonly unlock: () => void;
}

requireSupportedNode();
await main();

async function main(): Promise<void> {
  const request = readRequest(process.argv.slice(2));
  if (!request.ok) return give(`${request.error.message}\n${usage}`, 2);
  if (request.value.kind === "help") return answer(usage);
  if (request.value.kind === "version") return answer(`${agentVersion}\n`);
  const { kind, configPath } = request.value;
  if (kind === "check") return check(configPath);
  const rooms = moveIn(configPath);
  if (!rooms.ok) return give(rooms.error.message, 1);
  return kind === "teardown" ? tearDown(rooms.value) : run(rooms.value);
}

/** Whether an agent could start with this config; for an installer, before it stops the one that runs. */
async function check(configPath: string): Promise<void> {
  const config = readConfig(configPath);
  const token = config.ok ? readToken(config.value.tokenFile) : config;
  const nginx = config.ok && config.value.edge ? await readFeatures(config.value.edge.nginx) : ok(undefined);
  const failed = [token, nginx].flatMap((result) => (result.ok ? [] : [result.error.message]));
  give(failed.join("\n"), failed.length === 0 ? 0 : 1);
}

function moveIn(configPath: string): Result<Rooms, Failure> {
  const config = readConfig(configPath);
  if (!config.ok) return config;
  const token = readToken(config.value.tokenFile);
  if (!token.ok) return token;
  const unlock = takeLock(config.value.dataDir);
  if (!unlock.ok) return unlock;
  // One spelling: processes are found again by it.
  const dataDir = realpathSync(config.value.dataDir);
  const store = new JournalFile(dataDir);
  const journal = store.read();
  if (!journal.ok) return journal;
  return ok({
    config: config.value,
    token: token.value,
    store,
    journal: journal.value,
    unlock: unlock.value,
  });
}

async function run(rooms: Rooms): Promise<void> {
  const { config, journal, store, token } = rooms;
  const log: Log = logTo(pino({ base: { hostId: config.hostId } }, pino.destination(2)));
  const incarnation = randomBytes(12).toString("base64url") as Incarnation;
  const complaints = await clearDrafts(config.releasesDir);
  if (complaints.length > 0) log.warn("drafts-not-cleared", { why: complaints.join("; ") });
  const bootId = readBootId();
  const checks = checksOf(rooms);
  const spare = new SpareMemory();
  spare.used();
  // Link and agent know each other: the link speaks for the agent, and the agent hears by the link.
  let agent: Agent | null = null;
  const link = new NatsLink(
    { url: config.nats.url, hostId: config.hostId, token },
    {
      connected: () => {
        log.info("connected", { url: config.nats.url });
        agent?.happen({ kind: "connected", beatOffset: Math.random() });
      },
      disconnected: (why) => {
        log.warn("disconnected", { why });
        agent?.happen({ kind: "disconnected" });
      },
      command: (command) => agent?.happen({ kind: "command", command }),
      unreadable: (code, why) => log.warn("message-unreadable", { code, why }),
    },
  );
  agent = new Agent(
    {
      clock: bootClock,
      journal: spare.after(store),
      voice: link,
      sampleLoad: procLoad(),
      releases: new ReleaseStore(config.releasesDir, { url: config.controlPlane.url, token }),
      driver: driverOf(config),
      hooks: hooksOf(config),
      countConnections: countOn(config.address),
      askHealth,
      runCheck: (order) => checks.run(order),
      edge: config.edge === null ? null : edgeOf(config, config.edge),
      log,
    },
    { agent: identityOf(config), journal: journal ?? emptyJournal(bootId), incarnation, bootId },
  );
  log.info("agent-started", {
    incarnation,
    version: agentVersion,
    roles: config.roles,
    pid: process.pid,
  });
  const unit = new UnitVoice(process.env);
  unit.ready(() => agent.takesEvents);
  endInOrder(rooms, log, () => {
    unit.stopping();
    agent.stop();
    checks.close();
    return link.close();
  });
  takeInventoryLater(agent, log);
  await link.run();
}

/** A fleet that starts together does not look itself over together. */
function takeInventoryLater(agent: Agent, log: Log): void {
  const delayMs = inventoryDelayMs * (1 + Math.random());
  const take = async () => {
    const inventory = await takeInventory();
    if (inventory.ok) agent.happen({ kind: "inventoried", inventory: inventory.value });
    else log.warn("inventory-failed", { why: inventory.error.message });
  };
  setTimeout(() => void take(), delayMs).unref();
}

/** The agent ends, and what it runs goes on: services and nginx. A signal that comes twice is one. */
function endInOrder({ unlock }: Rooms, log: Log, stop: () => Promise<void>): void {
  let ending = false;
  const end = (signal: NodeJS.Signals) => {
    if (ending) return;
    ending = true;
    log.info("agent-stopping", { signal });
    void stop().finally(() => {
      unlock();
      process.exit(0);
    });
  };
  process.on("SIGTERM", end);
  process.on("SIGINT", end);
}

/** Stops everything that this agent has started: for the end of a demo or a test, and before an uninstall. */
async function tearDown({ config, journal, unlock }: Rooms): Promise<void> {
  endForgottenChecks(config.dataDir);
  const left = config.roles.includes("host") ? await stopServices(driverOf(config), journal) : [];
  if (config.roles.includes("host")) await hooksOf(config).endLeft();
  // In mode include nginx is the user's.
  if (config.edge?.mode === "inner") {
    const layout = EdgeLayout.of(edgeFolders(config, config.edge));
    if (layout.ok) await endAll(layout.value);
    else left.push(`edge: ${layout.error.message}`);
  }
  unlock();
  give(left.join("\n"), left.length === 0 ? 0 : 1);
}

function checksOf({ config: { dataDir, address } }: Rooms): CommandChecks {
  endForgottenChecks(dataDir);
  return new CommandChecks({ owner: dataDir, address });
}

function identityOf(config: AgentConfig): AgentIdentity {
  const { hostId, address, labels, roles, beatInterval } = config;
  return {
    hostId,
    address,
    labels,
    roles,
    agentVersion,
    hostname: hostname(),
    edgeAddresses: roles.includes("edge") ? localAddresses() : [],
    beatIntervalMs: beatInterval,
    inventory: null,
  };
}

function policyOf({ allow, runAs }: AgentConfig): Policy {
  return { ...allow, services: allow.services ?? null, runAs: runAs ?? null };
}

function hooksOf(config: AgentConfig): Hooks {
  const { dataDir, hostId, address, driver } = config;
  const launcher =
    driver === "child" ? new ChildLauncher(dataDir) : new UnitLauncher(unitRunDir, hookKillGraceMs);
  const policy = policyOf(config);
  return new HookPrograms({ launcher, hostId, address, policy, killGraceMs: hookKillGraceMs });
}

function driverOf(config: AgentConfig): Driver {
  const { dataDir, address, driver } = config;
  const policy = policyOf(config);
  if (driver === "child") return new ChildDriver({ owner: dataDir, address, policy });
  return new SystemdDriver({ address, policy, unitDir: "/run/systemd/system", runDir: unitRunDir });
}

type EdgeConfig = NonNullable<AgentConfig["edge"]>;

function edgeOf(config: AgentConfig, edge: EdgeConfig): Edge {
  const folders = edgeFolders(config, edge);
  if (edge.mode === "include") {
    const { nginx, userNginx } = edge;
    return new IncludeEdge({ ...folders, ...userNginx, nginx, confirmDeadlineMs: edgeConfirmDeadlineMs });
  }
  return new NginxEdge({
    ...folders,
    nginx: edge.nginx,
    workerUser: null,
    confirmDeadlineMs: edgeConfirmDeadlineMs,
  });
}

function edgeFolders({ dataDir }: AgentConfig, { includeDir, runDir }: EdgeConfig) {
  return { includeDir, runDir, dataDir: join(dataDir, "edge") };
}

function logTo(logger: pino.Logger): Log {
  return {
    info: (event, fields) => logger.info({ event, ...fields }),
    warn: (event, fields) => logger.warn({ event, ...fields }),
    error: (event, fields) => logger.error({ event, ...fields }),
  };
}

/** What was asked for is no complaint. */
function answer(text: string): void {
  process.stdout.write(text);
}

/** Ends with a word to the person who started it. */
function give(message: string, code: number): void {
  if (message !== "") process.stderr.write(`${message.trimEnd()}\n`);
  process.exitCode = code;
  process.exit();
}
