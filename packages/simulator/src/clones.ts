import type { HostId, Incarnation } from "@siding/shared/ids";
import type { AgentLife } from "./box/agent-life.ts";
import { Box } from "./box/box.ts";
import { Traffic } from "./box/traffic.ts";
import type { Surroundings } from "./surroundings.ts";

/** Machines that were copied, disk and identity, and run beside the original until somebody stops them. */
export class Clones {
  readonly #around: Surroundings;
  readonly #originals: ReadonlyMap<HostId, Box>;
  readonly #awake: (box: Box, incarnation: Incarnation) => AgentLife;
  readonly #boxes = new Map<HostId, Box>();
  readonly #had = new Set<HostId>();

  constructor(
    around: Surroundings,
    originals: ReadonlyMap<HostId, Box>,
    awake: (box: Box, incarnation: Incarnation) => AgentLife,
  ) {
    // What happens on a clone is nobody's instance: no edge routes to it.
    const traffic = new Traffic(around.timeline, around.random.fork("clones"), around.scenario.traffic);
    this.#around = { ...around, traffic, record: () => {} };
    this.#originals = originals;
    this.#awake = awake;
  }

  /** The original and its clone: whoever is told something under this id. */
  allOf(hostId: HostId): readonly Box[] {
    return [this.#originals.get(hostId), this.#boxes.get(hostId)].filter((box) => box !== undefined);
  }

  hasHad(hostId: HostId): boolean {
    return this.#had.has(hostId);
  }

  clone(hostId: HostId): void {
    const original = this.#originals.get(hostId);
    if (!original || this.#boxes.has(hostId)) return;
    const clone = new Box(original.identity, this.#around, this.#awake, `${hostId}-clone`);
    clone.journal = original.journal;
    clone.releases = [...original.releases];
    this.#boxes.set(hostId, clone);
    this.#had.add(hostId);
    clone.boot();
  }

  end(hostId: HostId): void {
    this.#boxes.get(hostId)?.cutPower();
    this.#boxes.delete(hostId);
  }

  endAll(): void {
    for (const hostId of [...this.#boxes.keys()]) this.end(hostId);
  }
}
