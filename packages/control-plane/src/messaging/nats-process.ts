import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { err, failure, ok, type Result } from "@siding/shared/result";
import { identityOf, isRunning, type ProcessIdentity } from "../data-dir/process-identity.ts";

/** A running nats-server: our child, or one that a killed control plane left behind. */
export interface NatsProcess {
  readonly pid: number;
  /** Settles when it has ended, however that came. */
  readonly ended: Promise<void>;
}

export interface NatsCommand {
  readonly binary: string;
  readonly configFile: string;
  readonly logFile: string;
}

/** From its start to its greeting; 10,000 users take it 0.1 s. */
const greetingDeadlineMs = 10_000;
const pollMs = 25;
/** After a SIGTERM; then it is killed. */
const stopGraceMs = 3_000;
/** How often one that is not our child is looked at. */
const watchMs = 200;

/** Starts a nats-server in a process group of its own, so that Ctrl-C does not end it before our orderly stop. */
export async function spawnNats(command: NatsCommand): Promise<Result<NatsProcess>> {
  const child = spawn(command.binary, ["-c", command.configFile], { stdio: "ignore", detached: true });
  const failed = new Promise<Error>((resolve) => child.once("error", resolve));
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const spawned = new Promise<null>((resolve) => child.once("spawn", () => resolve(null)));
  const cause = await Promise.race([failed, spawned]);
  if (cause === null && child.pid !== undefined) return ok({ pid: child.pid, ended });
  return err(
    failure(
      "nats-not-startable",
      `'${command.binary}' can't be started: ${cause?.message ?? "no pid"}`,
      cause,
    ),
  );
}

/** The nats-server that runs with this very config file, if there is one. */
export function findNats(configFile: string): NatsProcess | null {
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || !argumentsOf(pid).includes(configFile)) continue;
    const identity = identityOf(pid);
    if (identity) return { pid, ended: watchUntilEnd(identity) };
  }
  return null;
}

function argumentsOf(pid: number): readonly string[] {
  try {
    const [program = "", flag = "", file = ""] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return program !== "" && flag === "-c" ? [file] : [];
  } catch {
    // It has ended while we were looking, or is not ours to look at.
    return [];
  }
}

async function watchUntilEnd(identity: ProcessIdentity): Promise<void> {
  while (isRunning(identity)) await sleep(watchMs, undefined, { ref: false });
}

/** Ends it and waits until it has gone; one that does not listen is killed. */
export async function endNats(server: NatsProcess): Promise<void> {
  signal(server.pid, "SIGTERM");
  const gone = server.ended.then(() => true);
  if (await Promise.race([gone, sleep(stopGraceMs, false)])) return;
  // A stopped process does not even see a SIGTERM.
  signal(server.pid, "SIGKILL");
  await server.ended;
}

function signal(pid: number, name: "SIGTERM" | "SIGKILL"): void {
  try {
    process.kill(pid, name);
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "ESRCH")) throw cause;
  }
}

/** Waits for the server's greeting at its port. Errors: `nats-not-listening`, with the end of its log. */
export async function awaitGreeting(
  server: NatsProcess,
  listen: { readonly host: string; readonly port: number },
  logFile: string,
): Promise<Result<void>> {
  let alive = true;
  void server.ended.then(() => {
    alive = false;
  });
  const deadlineMs = performance.now() + greetingDeadlineMs;
  while (alive && performance.now() < deadlineMs) {
    if (await greets(listen)) {
      // Somebody else's server may be the one that greets, while ours finds the port taken.
      await sleep(pollMs);
      if (alive) return ok(undefined);
    }
    await sleep(pollMs);
  }
  const said = lastLines(logFile);
  return err(
    failure("nats-not-listening", `nats-server does not listen on ${listen.host}:${listen.port}: ${said}`),
  );
}

/** Connects and waits for `INFO`, the first word of every nats-server. */
export function greets(listen: { readonly host: string; readonly port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ ...listen, timeout: 1_000 });
    const finish = (good: boolean) => {
      socket.destroy();
      resolve(good);
    };
    socket.once("data", (bytes) => finish(String(bytes).startsWith("INFO ")));
    for (const event of ["error", "timeout", "end"]) socket.once(event, () => finish(false));
  });
}

const shownLogLines = 5;

function lastLines(file: string): string {
  try {
    return readFileSync(file, "utf8").trim().split("\n").slice(-shownLogLines).join(" | ");
  } catch {
    return "it has no log";
  }
}
