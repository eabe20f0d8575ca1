import type { StepFailure } from "@siding/shared/report";
import type { UnitState } from "./unit-state.ts";

/** Units of these types have no process that lives on. */
const unfitTypes = ["oneshot"];
/** With these, stopping a unit leaves processes of it behind. */
const unfitKillModes = ["none", "process"];

/** Why a unit can't be used for a service; null where it can. @param written the path of the agent's own template */
export function flawOf(unit: string, state: UnitState, written: string | null): StepFailure | null {
  return (
    loadFlaw(unit, state) ?? (written === null ? usersFlaw(unit, state) : editFlaw(unit, state, written))
  );
}

function loadFlaw(unit: string, { load, loadError }: UnitState): StepFailure | null {
  switch (load) {
    case "loaded":
      return null;
    case "masked":
      return { code: "unit-masked", message: `${unit} is masked: systemctl unmask it, or use another unit` };
    case "not-found":
      return { code: "unit-missing", message: `there is no unit ${unit} on this host` };
    default:
      return { code: "unit-broken", message: `systemd can't load ${unit}: ${load} ${loadError}`.trim() };
  }
}

function usersFlaw(unit: string, { type, killMode, fileState }: UnitState): StepFailure | null {
  if (unfitTypes.includes(type)) {
    return { code: "unit-unfit", message: `${unit} is Type=${type}, which has no process that runs on` };
  }
  if (unfitKillModes.includes(killMode)) {
    const message = `${unit} has KillMode=${killMode}: when it is stopped, processes of it would stay`;
    return { code: "unit-unfit", message };
  }
  if (fileState !== "enabled" && fileState !== "enabled-runtime") return null;
  const message = `${unit} is enabled at boot, when only the agent knows which slot to start: systemctl disable it (that does not stop it)`;
  return { code: "unit-unfit", message };
}

function editFlaw(unit: string, { path }: UnitState, written: string): StepFailure | null {
  if (path === written) return null;
  const message = `${unit} is read from ${path}, which hides what the agent wrote (${written}): remove it, or name it as unit: in the spec`;
  return { code: "unit-edited", message };
}

/** After the drop-in of the slot. */
export function restartFlaw(unit: string, { restart }: UnitState): StepFailure | null {
  if (restart === "no") return null;
  const message = `${unit} has Restart=${restart} from a drop-in that comes after the agent's: it would start itself again behind its back`;
  return { code: "unit-unfit", message };
}
