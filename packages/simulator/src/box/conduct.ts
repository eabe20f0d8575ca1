/** How the process of a release behaves once it is started. */
export type Conduct =
  /** Answers after `startMs`, for ever. */
  | { readonly kind: "sound"; readonly startMs: number }
  /** Listens and says 500 (or nothing). */
  | { readonly kind: "never-healthy"; readonly answers: "500" | "nothing" }
  | { readonly kind: "exits"; readonly afterMs: number }
  /** Answers, and ends by itself some time later; the same host's next process is sound. */
  | { readonly kind: "dies"; readonly startMs: number; readonly livesMs: number }
  /** Answers its own host only. */
  | { readonly kind: "loopback-only"; readonly startMs: number };

/** When it answers well; infinity where it never does. */
export function readyAfterMs(conduct: Conduct): number {
  switch (conduct.kind) {
    case "sound":
    case "dies":
    case "loopback-only":
      return conduct.startMs;
    case "never-healthy":
    case "exits":
      return Number.POSITIVE_INFINITY;
  }
}

/** When it ends by itself; null where it does not. */
export function endsAfterMs(conduct: Conduct): number | null {
  switch (conduct.kind) {
    case "exits":
      return conduct.afterMs;
    case "dies":
      return conduct.startMs + conduct.livesMs;
    case "sound":
    case "never-healthy":
    case "loopback-only":
      return null;
  }
}
