import type { EventBody } from "../ledger/event.ts";

/** What comes of looking at the fleet once. */
export interface Deliberation {
  /** To be committed together, then ask again until there are none. */
  readonly events: readonly EventBody[];
  /** Ledger clock; null when only news can change anything. */
  readonly wakeAtMs: number | null;
}
