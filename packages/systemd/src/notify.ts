import { execFile } from "node:child_process";

/** What systemd tells the programs that it starts as `Type=notify`; see sd_notify(3) and sd_watchdog_enabled(3). */
export interface UnitEnvironment {
  readonly NOTIFY_SOCKET?: string | undefined;
  readonly WATCHDOG_USEC?: string | undefined;
}

/** Tells something to the service manager. */
export type Send = (assignments: readonly string[]) => void;

/** systemd-notify takes 6 to 25 ms; one that hangs is worth less than the next. */
const sendTimeoutMs = 5_000;
/** systemd wants a sign at least once in its interval; half of it is its own advice. */
const pingsPerInterval = 2;

/** A word from a program to the systemd that started it. Started by anybody else, it says nothing. */
export class UnitVoice {
  readonly #environment: UnitEnvironment;
  readonly #send: Send;
  #ping: NodeJS.Timeout | null = null;

  constructor(environment: UnitEnvironment, send: Send = byProgram(environment)) {
    this.#environment = environment;
    this.#send = environment.NOTIFY_SOCKET ? send : () => {};
  }

  /**
   * The program does its work. From here on it is pinged for: out of this very event loop, and only while `isHealthy`,
   * so that systemd restarts what hangs. Said again, the newer `isHealthy` counts.
   */
  ready(isHealthy: () => boolean): void {
    if (this.#ping) clearInterval(this.#ping);
    this.#send(["READY=1"]);
    const intervalMs = Number(this.#environment.WATCHDOG_USEC ?? 0) / 1_000;
    if (!(intervalMs > 0)) return;
    const ping = () => {
      if (isHealthy()) this.#send(["WATCHDOG=1"]);
    };
    this.#ping = setInterval(ping, intervalMs / pingsPerInterval);
    this.#ping.unref();
  }

  stopping(): void {
    if (this.#ping) clearInterval(this.#ping);
    this.#send(["STOPPING=1"]);
  }
}

/** Node has no unix datagram sockets, so the word goes through systemd's own program (`NotifyAccess=all`). */
function byProgram({ NOTIFY_SOCKET }: UnitEnvironment): Send {
  const env = { NOTIFY_SOCKET, PATH: "/usr/local/bin:/usr/bin:/bin" };
  return (assignments) => {
    // What can't be said is said again by the next ping; where none comes through, systemd acts on that.
    execFile("systemd-notify", [...assignments], { env, timeout: sendTimeoutMs }, () => {});
  };
}
