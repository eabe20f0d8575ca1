import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { requireSupportedNode } from "@siding/shared/node-version";
import { err, failure, messageOf, ok, type Result } from "@siding/shared/result";
import { UnitVoice } from "@siding/systemd/notify";
import { destination, type Logger, pino } from "pino";
import { type Config, loadConfig } from "./config.ts";
import { takeLock } from "./data-dir/lock.ts";
import { rebuild } from "./ledger/store-rebuild.ts";
import { dataFiles, startControlPlane } from "./start.ts";

requireSupportedNode();

const usage = `usage: siding-control-plane --config FILE            run the control plane
       siding-control-plane --config FILE rebuild    make every record of the ledger again from its log
       siding-control-plane --config FILE check      whether it could start with this config
`;

const verbs = ["run", "rebuild", "check"] as const;
type Verb = (typeof verbs)[number];

/** 0: ended in order. 1: ended by a mistake of ours. */
const exitUsage = 2;
const exitRefused = 3;
const exitCrashed = 1;

/** What is still under way at the end gets this long; then the process ends all the same. */
const stopDeadlineMs = 10_000;

const command = readCommand(process.argv.slice(2));
if (!command.ok) {
  say(`${command.error.message}\n${usage}`);
  process.exit(exitUsage);
}
const config = loadConfig(command.value.configFile);
if (!config.ok) {
  say(config.error.message);
  process.exit(exitUsage);
}
process.exitCode = await carryOut(command.value.verb, config.value);

function carryOut(verb: Verb, asked: Config): number | Promise<number> {
  switch (verb) {
    case "run":
      return run(asked);
    case "rebuild":
      return rebuildLedger(asked);
    case "check":
      // Who got here has a config that was read.
      return 0;
  }
}

function readCommand(args: string[]): Result<{ readonly configFile: string; readonly verb: Verb }> {
  try {
    const options = { config: { type: "string" } } as const;
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    const [name = "run", ...more] = positionals;
    const verb = verbs.find((each) => each === name);
    if (more.length > 0 || verb === undefined) {
      return err(failure("usage", `unknown command '${positionals.join(" ")}'`));
    }
    if (values.config === undefined) return err(failure("usage", "--config FILE is missing"));
    return ok({ configFile: resolve(values.config), verb });
  } catch (cause) {
    return err(failure("usage", messageOf(cause), cause));
  }
}

async function run({ logLevel, ...config }: Config): Promise<number> {
  // Written at once: the last line before a crash is the one that matters.
  const log = pino({ name: "siding-control-plane", level: logLevel }, destination({ fd: 2, sync: true }));
  endOnMistakes(log);
  const stopped = firstStop();
  const started = await startControlPlane({ logLevel, ...config }, log);
  if (!started.ok) {
    log.fatal({ event: "start-refused", code: started.error.code, err: started.error.cause }, "not started");
    say(started.error.message);
    return exitRefused;
  }
  // NATS away or a full disk is waited out, and /readyz says so: a restart would mend neither.
  const unit = new UnitVoice(process.env);
  unit.ready(() => true);
  const signal = await stopped;
  unit.stopping();
  log.info({ event: "stopping", signal }, "stopping");
  setTimeout(() => {
    log.fatal({ event: "stop-overdue", stopDeadlineMs }, "could not end in order");
    process.exit(exitCrashed);
  }, stopDeadlineMs).unref();
  await started.value[Symbol.asyncDispose]();
  log.info({ event: "stopped" }, "stopped");
  return 0;
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

function rebuildLedger({ dataDir }: Config): number {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const lock = takeLock(join(dataDir, dataFiles.lock));
  const rebuilt = lock.ok ? rebuild(join(dataDir, dataFiles.ledger)) : lock;
  if (lock.ok) lock.value();
  if (!rebuilt.ok) {
    say(rebuilt.error.message);
    return exitRefused;
  }
  const { events, records, mended } = rebuilt.value;
  const counts = Object.entries(records).map(([table, count]) => `${count} ${table}`);
  process.stdout.write(`folded ${events} events into ${counts.join(", ")}\n`);
  const differing = mended.length === 0 ? "every record was as the log says" : `mended ${mended.join(", ")}`;
  process.stdout.write(`${differing}\n`);
  return 0;
}

function say(text: string): void {
  process.stderr.write(`siding: ${text}\n`);
}
