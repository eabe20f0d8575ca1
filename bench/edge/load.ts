import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** What one burst of load came to. */
export interface Burst {
  readonly perSecond: number;
  readonly p99Ms: number;
  /** Answers other than 2xx and 3xx, and connections that broke. */
  readonly failed: number;
}

/** Longer than any burst, so that one that hangs is a failure and no wait. */
const SPARE_MS = 30_000;

/** Keep-alive clients that ask as fast as they are answered, by wrk. */
export async function load(url: string, connections: number, seconds: number): Promise<Burst> {
  const args = ["--threads", "1", "--connections", String(connections), "--duration", `${seconds}s`];
  const { stdout } = await run("wrk", [...args, "--latency", url], { timeout: seconds * 1_000 + SPARE_MS });
  return parseBurst(stdout);
}

/** Reads wrk's own report. Errors: throws where it is none. */
export function parseBurst(report: string): Burst {
  const perSecond = Number(/^Requests\/sec:\s+([\d.]+)/m.exec(report)?.[1]);
  const [, amount, unit = ""] = /^\s+99%\s+([\d.]+)(us|ms|s)$/m.exec(report) ?? [];
  const p99Ms = Number(amount) * ({ us: 0.001, ms: 1, s: 1_000 }[unit] ?? Number.NaN);
  if (Number.isNaN(perSecond) || Number.isNaN(p99Ms)) throw new Error(`no report of wrk's:\n${report}`);
  const refused = Number(/^\s+Non-2xx or 3xx responses: (\d+)/m.exec(report)?.[1] ?? 0);
  const broken =
    /^\s+Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/m.exec(report) ?? [];
  return { perSecond, p99Ms, failed: broken.slice(1).reduce((sum, count) => sum + Number(count), refused) };
}
