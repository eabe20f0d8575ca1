import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { requireSupportedNode } from "@siding/shared/node-version";
import { err, type Failure, failure, messageOf, ok, type Result } from "@siding/shared/result";
import { UnitVoice } from "@siding/systemd/notify";
import { destination, type Logger, pino } from "pino";
import { type Config, loadConfig } from "./config.ts";
import { isRestorePending } from "./ledger/restore.ts";
import { backUpLedger, holdDataDir, rebuildLedger, restoreLedger } from "./maintenance.ts";
import { type ControlPlane, dataFiles, startControlPlane } from "./start.ts";
import { version } from "./version.ts";

requireSupportedNode();

const usage = `usage: siding-control-plane --config FILE            run the control plane
       siding-control-plane --config FILE rebuild    make every record of the ledger again from its log
       siding-control-plane --config FILE backup TO  copy the ledger into one file, also while it runs
       siding-control-plane --config FILE restore FROM
                                                     put a backup in place of the ledger, also while it runs
       siding-control-plane --config FILE check      whether it could start with this config
       siding-control-plane --version
`;

/** 0: ended in order. 1: ended by a mistake of ours. */
const exitUsage = 2;
const exitRefused = 3;
const exitCrashed = 1;

/** What is still under way at the end gets this long; then the process ends all the same. */
const stopDeadlineMs = 10_000;

/** Whoever restores a backup leaves it in the data directory, and is soon heard there, whoever runs us. */
const restoreLookMs = 250;

const command = readCommand(process.argv.slice(2));
if (!command.ok) {
  say(`${command.error.message}\n${usage}`);
  process.exit(exitUsage);
}
if ("answer" in command.value) {
  process.stdout.write(command.value.answer);
  process.exit();
}
const config = loadConfig(command.value.configFile);
if (!config.ok) {
  say(config.error.message);
  process.exit(exitUsage);
}
process.exitCode = await perform(config.value, command.value.verb);

/** What the command line asks for, or at once the answer to it. */
type Request = { readonly answer: string } | { readonly configFile: string; readonly verb: Verb };

type Verb =
  | { readonly kind: "run" | "rebuild" | "check" }
  | { readonly kind: "backup" | "restore"; readonly file: string };

function readCommand(args: string[]): Result<Request> {
  try {
    const options = {
      config: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
      version: { type: "boolean", default: false },
    } as const;
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    if (values.help) return ok({ answer: usage });
    if (values.version) return ok({ answer: `${version}\n` });
    const verb = verbOf(positionals);
    if (!verb) return err(failure("usage", `unknown command '${positionals.join(" ")}'`));
    if (values.config === undefined) return err(failure("usage", "--config FILE is missing"));
    return ok({ configFile: resolve(values.config), verb });
  } catch (cause) {
    return err(failure("usage", messageOf(cause), cause));
  }
}

function verbOf([kind = "run", file, ...more]: readonly string[]): Verb | null {
  if (more.length > 0) return null;
  if (file === undefined) return kind === "run" || kind === "rebuild" || kind === "check" ? { kind } : null;
  return kind === "backup" || kind === "restore" ? { kind, file } : null;
}

async function perform(config: Config, verb: Verb): Promise<number> {
  const at = new Date().toISOString();
  switch (verb.kind) {
    case "run":
      return run(config);
    case "rebuild":
      return told(await rebuildLedger(config));
    case "check":
      // Who got here has a config that was read.
      return 0;
    case "backup":
      return told(await backUpLedger(config, verb.file, at));
    case "restore":
      return told(await restoreLedger(config, verb.file, at));
  }
}

async function run({ logLevel, ...config }: Config): Promise<number> {
  // Written at once: the last line before a crash is the one that matters.
  const log = pino({ name: "siding-control-plane", level: logLevel }, destination({ fd: 2, sync: true }));
  endOnMistakes(log);
  const stopped = firstStop();
  const held = holdDataDir(config.dataDir);
  if (!held.ok) return notStarted(held.error, log);
  try {
    return await runUntilStopped({ logLevel, ...config }, stopped, log);
  } finally {
    held.value();
  }
}

/** Starts anew with each ledger that a backup was restored to. */
async function runUntilStopped(
  config: Config,
  stopped: Promise<NodeJS.Signals>,
  log: Logger,
): Promise<number> {
  const unit = new UnitVoice(process.env);
  for (;;) {
    const started = await startControlPlane(config, log);
    if (!started.ok) return notStarted(started.error, log);
    unit.ready(() => isWell(started.value, log));
    const signal = await Promise.race([stopped, restoreOrdered(config)]);
    if (signal !== null) unit.stopping();
    log.info({ event: "stopping", signal }, signal === null ? "a backup is to be restored" : "stopping");
    await endInTime(started.value, log);
    log.info({ event: "stopped" }, "stopped");
    if (signal !== null) return 0;
  }
}

/** What systemd's watchdog is kept quiet by; else it restarts us. */
function isWell({ ailment }: ControlPlane, log: Logger): boolean {
  const reason = ailment();
  if (reason !== null) log.error({ event: "ailing", reason }, "only a restart would mend this");
  return reason === null;
}

function notStarted({ code, message, cause }: Failure, log: Logger): number {
  log.fatal({ event: "start-refused", code, err: cause }, "not started");
  say(message);
  return exitRefused;
}

async function endInTime(running: AsyncDisposable, log: Logger): Promise<void> {
  const overdue = setTimeout(() => {
    log.fatal({ event: "stop-overdue", stopDeadlineMs }, "could not end in order");
    process.exit(exitCrashed);
  }, stopDeadlineMs);
  overdue.unref();
  await running[Symbol.asyncDispose]();
  clearTimeout(overdue);
}

/** Null, once a backup waits to take the ledger's place. */
async function restoreOrdered({ dataDir }: Config): Promise<null> {
  const ledger = join(dataDir, dataFiles.ledger);
  while (!isRestorePending(ledger)) await sleep(restoreLookMs, undefined, { ref: false });
  return null;
}

/** Ctrl-C comes twice (from the terminal and from npm), an impatient person's kill as well: all are one. */
function firstStop(): Promise<NodeJS.Signals> {
  const { promise, resolve: stop } = Promise.withResolvers<NodeJS.Signals>();
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, stop);
  return promise;
}

/** Crash only: everything that matters is in the ledger, and the next start goes on from there. */
function endOnMistakes(log: Logger): void {
  const crash = (cause: unknown) => {
    log.fatal(
      { event: "crashed", err: cause },
      "a mistake in Siding; start it again, and please report this",
    );
    process.exit(exitCrashed);
  };
  process.on("uncaughtException", crash);
  process.on("unhandledRejection", crash);
}

function told(report: Result<readonly string[]>): number {
  if (report.ok) process.stdout.write(`${report.value.join("\n")}\n`);
  else say(report.error.message);
  return report.ok ? 0 : exitRefused;
}

function say(text: string): void {
  process.stderr.write(`siding: ${text}\n`);
}
