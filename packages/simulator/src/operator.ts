import type { EventBody } from "@siding/control-plane/ledger/event";
import { listedHosts } from "@siding/control-plane/orchestrator/holds";
import type { Refusal } from "@siding/control-plane/orchestrator/refusal";
import type { HostId } from "@siding/shared/ids";
import type { Result } from "@siding/shared/result";
import type { Box } from "./box/box.ts";
import type { Brain } from "./plane/brain.ts";
import type { ControlPlane, Desk } from "./plane/control-plane.ts";
import type { DeedKind, Deeds } from "./scenario/deed.ts";
import type { Surroundings } from "./surroundings.ts";

const tryEveryMs = 2_500;
/** What is refused is tried so often in a healed world, then left; before that, for as long as it takes. */
const patientTries = 40;

/** The one who takes hosts and edges out by hand and brings them back, for maintenance or for good. */
export class Operator {
  readonly #around: Surroundings;
  readonly #boxes: ReadonlyMap<HostId, Box>;
  readonly #plane: ControlPlane;
  readonly #brain: Brain;
  #busy = 0;
  /** The ledger is older than its fleet, since then; null: it is not, or nobody is to look. */
  #behindSinceMs: number | null = null;

  constructor(around: Surroundings, boxes: ReadonlyMap<HostId, Box>, plane: ControlPlane, brain: Brain) {
    this.#around = around;
    this.#boxes = boxes;
    this.#plane = plane;
    this.#brain = brain;
  }

  get isContent(): boolean {
    return this.#busy === 0 && this.#behindSinceMs === null;
  }

  begin(): void {
    for (const deeds of this.#around.scenario.deeds) {
      this.#busy += 1;
      this.#proceed(deeds, 0, 0);
    }
  }

  /** Who has restored it looks now and then, and when the fleet shows that it is ahead, goes on after a while. */
  ledgerRestored(goOnAfterMs: number): void {
    const { timeline } = this.#around;
    timeline.after(tryEveryMs, () => {
      this.#plane.ask((desk) => this.#lookAt(desk, goOnAfterMs));
      this.ledgerRestored(goOnAfterMs);
    });
  }

  #lookAt({ state, commit }: Desk, goOnAfterMs: number): void {
    const { nowMs } = this.#around.timeline;
    this.#behindSinceMs = state.behind === null ? null : (this.#behindSinceMs ?? nowMs);
    if (this.#behindSinceMs === null || nowMs - this.#behindSinceMs < goOnAfterMs) return;
    this.#trace(() => "operator: go on with the fleet as it is");
    commit(this.#brain.resumeFleet(state, null), "operator");
  }

  /** One step after the other: the next one when its time has come and this one is done. */
  #proceed(deeds: Deeds, index: number, tries: number): void {
    const { timeline, weather } = this.#around;
    const step = deeds.steps[index];
    if (!step) {
      this.#busy -= 1;
      return;
    }
    timeline.at(Math.max(step.atMs, timeline.nowMs + (tries === 0 ? 0 : tryEveryMs)), () => {
      const done = this.#plane.ask((desk) => this.#do(desk, deeds.hostId, step.kind)) ?? false;
      const next = done || tries >= patientTries ? index + 1 : index;
      this.#proceed(deeds, next, next === index && weather.healed ? tries + 1 : next === index ? 1 : 0);
    });
  }

  #do(desk: Desk, hostId: HostId, kind: DeedKind): boolean {
    const box = this.#boxes.get(hostId);
    switch (kind) {
      case "switch-on":
        box?.boot();
        return true;
      case "switch-off":
      case "scrap":
        return this.#switchOff(desk, hostId, kind === "scrap");
      case "drain":
      case "remove":
      case "rejoin":
      case "exclude":
      case "include": {
        const said = this.#say(desk, hostId, kind);
        this.#trace(() => `operator: ${kind} ${hostId}: ${said.ok ? "taken" : said.error.message}`);
        return said.ok && desk.commit(said.value, "operator");
      }
    }
  }

  #say(
    { state }: Desk,
    hostId: HostId,
    kind: "drain" | "remove" | "rejoin" | "exclude" | "include",
  ): Result<readonly EventBody[], Refusal> {
    switch (kind) {
      case "drain":
        return this.#brain.holdHost(state, hostId, "drained", null);
      case "remove":
        return this.#brain.holdHost(state, hostId, "removed", null);
      case "rejoin":
        return this.#brain.releaseHost(state, hostId);
      case "exclude":
        return this.#brain.excludeEdge(state, hostId, null);
      case "include":
        return this.#brain.includeEdge(state, hostId);
    }
  }

  /** Only a machine that is held, out of every list, and that nobody is at. */
  #switchOff({ state }: Desk, hostId: HostId, forGood: boolean): boolean {
    const host = state.hosts.get(hostId);
    const isListed = listedHosts(state)?.has(hostId) ?? true;
    const isBusy = Object.values(host?.instances ?? {}).some(
      ({ command }) => command?.status === "issued" || command?.status === "running",
    );
    const active = [...state.services.values()].flatMap(({ activeRollout }) =>
      activeRollout ? (state.rollouts.get(activeRollout) ?? []) : [],
    );
    const isInHand = active.some(({ hosts }) =>
      hosts.some((progress) => progress.hostId === hostId && progress.course.kind === "going"),
    );
    if (!host?.hold || isListed || isBusy || isInHand) return false;
    const box = this.#boxes.get(hostId);
    this.#trace(() => `operator switches ${hostId} off${forGood ? " for good" : ""}`);
    if (forGood) box?.retire();
    else box?.cutPower();
    return true;
  }

  #trace(text: () => string): void {
    this.#around.trace.line(this.#around.timeline.nowMs, text);
  }
}
