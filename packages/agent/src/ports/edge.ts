import type { UpstreamContent } from "@siding/shared/command";
import type { Digest, UpstreamName } from "@siding/shared/ids";
import type { Failure, Result } from "@siding/shared/result";

/**
 * - `edge-nginx-missing`: no nginx at the configured path, or it does not run.
 * - `edge-nginx-too-old`: it runs, and does not know what the agent would write.
 * - `edge-nginx-down`: the inner nginx has no living master; `recover` brings one back.
 * - `edge-config-refused`: nginx does not accept the configuration; the message is nginx's own.
 * - `edge-reload-without-effect`: asked to reload, nginx did not serve the new content within the deadline.
 * - `edge-write-failed`: a file could not be read or written.
 * - `edge-path-refused`: a configured folder has a path that nginx or a unix socket can't take.
 * - `edge-state-unreadable`: what was remembered of an upstream is not in a form that this agent knows.
 */
type EdgeFailureCode =
  | "edge-nginx-missing"
  | "edge-nginx-too-old"
  | "edge-nginx-down"
  | "edge-config-refused"
  | "edge-reload-without-effect"
  | "edge-write-failed"
  | "edge-path-refused"
  | "edge-state-unreadable";

export type EdgeResult<T> = Result<T, Failure<EdgeFailureCode>>;

/** What nginx serves of one upstream for certain: confirmed, and every older worker retired. Survives restarts. */
export interface ServedUpstream {
  readonly upstream: UpstreamName;
  readonly revision: number;
  readonly digest: Digest;
  /** This edge's own count of what it rendered for the upstream. */
  readonly generation: number;
  /** Reloads that revisions of this upstream caused on this edge, ever. */
  readonly reloads: number;
  /** Reloads that only changed who is left out. */
  readonly ejections: number;
  /** Members of the revision that nginx was not given, as `hostId/slot`, in order. */
  readonly ejected: readonly string[];
  /** From writing the file to the retirement of the last old worker, of the newest confirmed reload. */
  readonly turnoverMs: number;
}

/** What nginx is to serve. */
export interface Wanted {
  readonly content: UpstreamContent;
  readonly revision: number;
  /** Members that nginx is not given although the revision lists them, as `hostId/slot`. */
  readonly ejected: readonly string[];
}

export interface AppliedUpstream extends ServedUpstream {
  /** False where nothing that nginx reads had changed. */
  readonly reloaded: boolean;
}

export interface EdgeFacts {
  readonly nginxVersion: string;
  /**
   * Whether the start found nginx running, or started it. `cold`: none runs, and none was to be started; the user's own
   * never is (`not-running`).
   */
  readonly inner: "taken-over" | "started" | "cold" | "not-running";
  readonly served: readonly ServedUpstream[];
  /** Things that a person should put right; the edge works on. */
  readonly warnings: readonly string[];
}

/**
 * The nginx of an edge: our inner one, or in mode `include` the user's. Effects only: which revision is the newest, and what is tried again, is decided
 * by the machine. Calls are carried out one after the other.
 */
export interface Edge {
  /**
   * An inner nginx that runs is taken over untouched. Where none does, another one is started, and no request reaches it
   * before it serves these lists; of one that can't be served it serves what was confirmed last. Null starts none.
   */
  start(lists: readonly Wanted[] | null): Promise<EdgeResult<EdgeFacts>>;
  /**
   * Makes nginx serve the content, and returns when it does for certain. After a failure the last confirmed content is
   * in place again. An empty member list answers 503 and keeps the name alive.
   *
   * @param ejected members that nginx is not given although the revision lists them, as `hostId/slot`
   */
  apply(
    content: UpstreamContent,
    revision: number,
    ejected?: readonly string[],
  ): Promise<EdgeResult<AppliedUpstream>>;
  /** Has nginx test the content, all else being as it is, and changes nothing that nginx reads. */
  prepare(content: UpstreamContent, ejected: readonly string[]): Promise<EdgeResult<void>>;
  /** After the death of the inner master: a new one beside its orphaned workers, then these are retired. */
  recover(): Promise<EdgeResult<{ readonly recoveryMs: number }>>;
  /** Calls back once for each death of the inner master. Returns the way to stop watching. */
  watchDown(callback: () => void): () => void;
  /** Ends the inner nginx in order. The end of the agent alone must not. */
  stop(): Promise<void>;
}
