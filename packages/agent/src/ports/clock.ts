/** The monotonic clock of this boot: it runs on while the agent is dead, and never goes back. */
export interface Clock {
  nowMs(): number;
  /** Calls back once, at the instant or as soon as possible after it. Returns the way to give that up. */
  wakeAt(atMs: number, callback: () => void): () => void;
}
