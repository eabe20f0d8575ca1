import { constants } from "node:os";
import { Yard } from "./yard.ts";

/** How often we look whether whoever started us is still there: a killed npm tells nobody. */
const PARENT_POLL_MS = 200;

/** The lines of each log that are shown when something went wrong. */
const SHOWN_LOG_LINES = 15;

const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** What a program sees of its own end. */
export type Ending = {
  /** Waits for the stop that is the normal end of a program that stays; gives its exit code. */
  readonly stayUntilStopped: () => Promise<number>;
};

/**
 * Runs a program in a yard of its own and ends this process with its exit code, leaving nothing behind: also when it
 * throws, at INT, TERM and HUP (Ctrl-C comes twice, from the terminal's group and from npm: repeats are one) and when
 * the parent is gone.
 */
export async function runInYard(program: (yard: Yard, ending: Ending) => Promise<number>): Promise<never> {
  const stop = firstStop();
  const yard = new Yard();
  let staysOnPurpose = false;
  let stopped = false;
  const stayUntilStopped = async () => {
    staysOnPurpose = true;
    await stop;
    return 0;
  };
  const started = Promise.resolve().then(() => program(yard, { stayUntilStopped }));
  const finished = started.catch((error: unknown) => {
    // Once stopped, errors are only the echo of what is being taken away.
    if (!stopped)
      say(`${error instanceof Error ? error.message : String(error)}\n\n${yard.logTails(SHOWN_LOG_LINES)}`);
    return 1;
  });
  const interrupted = stop.then((code) => {
    stopped = true;
    return staysOnPurpose ? 0 : code;
  });
  const code = await Promise.race([finished, interrupted]);
  const complaints = await yard.close();
  for (const complaint of complaints) say(`not in order at the end: ${complaint}`);
  process.exit(code === 0 && complaints.length > 0 ? 1 : code);
}

/** The exit code that the first reason to stop asks for, as a shell would say it. */
function firstStop(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  for (const signal of STOP_SIGNALS) process.on(signal, () => resolve(128 + constants.signals[signal]));
  const startedBy = process.ppid;
  setInterval(() => {
    if (process.ppid !== startedBy) resolve(128 + constants.signals.SIGHUP);
  }, PARENT_POLL_MS).unref();
  return promise;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
