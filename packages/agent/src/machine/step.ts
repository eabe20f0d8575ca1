import type { Effect } from "./effect.ts";
import type { MachineState } from "./state.ts";

/** What one event leads to. `step(state, event, nowMs)` and `resume(…)` return it. */
export interface Step {
  readonly state: MachineState;
  readonly effects: readonly Effect[];
  /** When the machine wants a `tick`; null while only an event can change anything. */
  readonly wakeAtMs: number | null;
}
