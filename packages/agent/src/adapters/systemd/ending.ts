import { constants } from "node:os";
import { maxOutputBytes } from "@siding/shared/report";
import type { ProcessExit } from "../../machine/event.ts";
import type { UnitState } from "./unit-state.ts";

const exited = 1;

/** How a service ended, from what systemd says of its unit. */
export function exitOf(unit: string, state: UnitState, output: string): ProcessExit {
  const byItself = state.exitKind === exited || state.exitKind === 0;
  const note = noteOf(unit, state);
  return {
    code: byItself ? state.exitStatus : null,
    signal: byItself ? null : signalName(state.exitStatus),
    output: output.slice(-maxOutputBytes),
    ...(note === null ? {} : { note }),
  };
}

function noteOf(unit: string, { result, exitKind, exitStatus, type }: UnitState): string | null {
  if (result !== "success" && result !== "exit-code" && result !== "signal") return `${unit}: ${result}`;
  // Of a unit that has ended well systemd soon forgets everything.
  const endedWell = (exitKind === exited || exitKind === 0) && exitStatus === 0;
  if (!endedWell || type === "forking") return null;
  return `somebody stopped ${unit}, or it goes on in the background, which needs a unit of its own with Type=forking`;
}

function signalName(number: number): string {
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return found?.[0] ?? `signal ${number}`;
}
