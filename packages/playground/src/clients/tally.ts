import type { Counts, FailedRequest } from "./counts.ts";
import type { Failed } from "./failure.ts";
import type { Served } from "./judge.ts";
import type { KindName } from "./kinds.ts";

/** Latencies are counted by the whole millisecond up to here; longer ones count as this long. */
const LONGEST_MS = 60_000;

/** Enough to see a pattern; the number of failed requests has no limit. */
const KEPT_FAILURES = 1_000;

type KindTally = { requests: number; failed: number; readonly latencies: Uint32Array };
type VersionTally = { answers: number; readonly firstAtMs: number; lastAtMs: number };

/** Counts everything that the clients of one process see. */
export class Tally {
  idleCloses = 0;
  #kinds = new Map<KindName, KindTally>();
  #versions = new Map<string, VersionTally>();
  #failures: FailedRequest[] = [];

  add(kind: KindName, outcome: Served | Failed, tookMs: number): void {
    const tally = this.#kindTally(kind);
    tally.requests += 1;
    const bucket = Math.min(Math.round(tookMs), LONGEST_MS);
    tally.latencies[bucket] = (tally.latencies[bucket] ?? 0) + 1;
    if (outcome.ok) {
      this.#countVersion(outcome.version);
      return;
    }
    tally.failed += 1;
    if (this.#failures.length >= KEPT_FAILURES) return;
    this.#failures.push({ kind, reason: outcome.reason, detail: outcome.detail, atMs: Date.now() });
  }

  read(): Counts {
    const kinds = [...this.#kinds].map(([kind, { requests, failed, latencies }]) => ({
      kind,
      requests,
      failed,
      p50Ms: percentile(latencies, requests, 0.5),
      p99Ms: percentile(latencies, requests, 0.99),
      maxMs: percentile(latencies, requests, 1),
    }));
    return {
      requests: kinds.reduce((sum, { requests }) => sum + requests, 0),
      failed: kinds.reduce((sum, { failed }) => sum + failed, 0),
      idleCloses: this.idleCloses,
      kinds,
      versions: [...this.#versions].map(([version, tally]) => ({ version, ...tally })),
      failures: this.#failures,
    };
  }

  #kindTally(kind: KindName): KindTally {
    const known = this.#kinds.get(kind);
    if (known !== undefined) return known;
    const fresh = { requests: 0, failed: 0, latencies: new Uint32Array(LONGEST_MS + 1) };
    this.#kinds.set(kind, fresh);
    return fresh;
  }

  #countVersion(version: string): void {
    const nowMs = Date.now();
    const known = this.#versions.get(version);
    if (known === undefined) {
      this.#versions.set(version, { answers: 1, firstAtMs: nowMs, lastAtMs: nowMs });
    } else {
      known.answers += 1;
      known.lastAtMs = nowMs;
    }
  }
}

function percentile(latencies: Uint32Array, total: number, share: number): number {
  let seen = 0;
  for (let ms = 0; ms < latencies.length; ms += 1) {
    seen += latencies[ms] ?? 0;
    if (seen >= total * share) return ms;
  }
  return LONGEST_MS;
}
