import { type Journal, journalVersion } from "./journal.ts";
import type { MachineState } from "./state.ts";

/** The durable part of a state. */
export function journalOf({ bootId, controlPlane, instances, upstreams }: MachineState): Journal {
  return {
    v: journalVersion,
    bootId,
    controlPlane,
    instances: [...instances.values()].map(({ journal }) => journal),
    upstreams: [...upstreams.values()].map(({ journal }) => journal),
  };
}

/** Parts are never changed in place, so that comparing them by identity sees every change. */
export function journalChanged(before: MachineState, after: MachineState): boolean {
  return (
    before.bootId !== after.bootId ||
    before.controlPlane !== after.controlPlane ||
    differs(before.instances, after.instances) ||
    differs(before.upstreams, after.upstreams)
  );
}

function differs<K, J>(
  before: ReadonlyMap<K, { journal: J }>,
  after: ReadonlyMap<K, { journal: J }>,
): boolean {
  if (before === after) return false;
  if (before.size !== after.size) return true;
  return [...after].some(([key, { journal }]) => before.get(key)?.journal !== journal);
}
