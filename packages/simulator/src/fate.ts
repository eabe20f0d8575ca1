import type { HostId } from "@siding/shared/ids";
import type { Box } from "./box/box.ts";
import type { ControlPlane } from "./plane/control-plane.ts";
import type { Killer } from "./plane/killer.ts";
import { controlPlaneParty, type Fault } from "./scenario/fault.ts";
import type { Surroundings } from "./surroundings.ts";
import type { Trouble } from "./weather.ts";

type FaultOf<Kind extends Fault["kind"]> = Extract<Fault, { kind: Kind }>;

/** Lets the scenario's faults happen, each at its time, and in the end makes everything well again. */
export class Fate {
  readonly #around: Surroundings;
  readonly #boxes: ReadonlyMap<HostId, Box>;
  readonly #plane: ControlPlane;
  readonly #killer: Killer;

  constructor(around: Surroundings, boxes: ReadonlyMap<HostId, Box>, plane: ControlPlane, killer: Killer) {
    this.#around = around;
    this.#boxes = boxes;
    this.#plane = plane;
    this.#killer = killer;
  }

  begin(): void {
    const { scenario, timeline } = this.#around;
    for (const fault of scenario.faults) {
      // Those of the control plane are counted in commits, not in time: its killer has them.
      if (fault.kind !== "control-plane-killed") timeline.at(fault.atMs, () => this.#strike(fault));
    }
    timeline.at(scenario.healAtMs, () => this.#heal());
  }

  #heal(): void {
    const { weather, bus, traffic, scenario } = this.#around;
    this.#trace(() => "everything heals");
    weather.heal();
    bus.heal();
    traffic.heal();
    this.#killer.heal();
    this.#plane.start();
    const parties = [
      controlPlaneParty,
      ...scenario.hosts,
      ...scenario.edges.map(({ hostId }) => hostId),
    ] as const;
    for (const party of parties) bus.mendAll(party);
    for (const box of this.#boxes.values()) {
      box.heal();
      box.boot();
      box.startAgent();
    }
  }

  #strike(fault: Exclude<Fault, { kind: "control-plane-killed" }>): void {
    if (this.#around.weather.healed) return;
    this.#trace(() => `fault: ${JSON.stringify(fault)}`);
    switch (fault.kind) {
      case "agent-killed":
      case "power-cut":
        this.#arm(fault);
        return;
      case "service-ends":
        this.#endService(fault);
        return;
      case "service-sick":
        this.#sicken(fault);
        return;
      case "link-cut":
        this.#cutLinks(fault);
        return;
      case "nginx-master-killed":
        this.#killMaster(fault);
        return;
      case "path-cut":
      case "nginx-refuses":
      case "nginx-deaf":
      case "staging-fails":
      case "ledger-full":
        this.#endure(fault, fault.forMs);
        return;
    }
  }

  #arm({ kind, hostId, afterEffects, forMs }: FaultOf<"agent-killed" | "power-cut">): void {
    const box = this.#boxes.get(hostId);
    const { timeline } = this.#around;
    if (!box) return;
    const blow = () => {
      if (this.#around.weather.healed) return;
      if (kind === "power-cut") box.cutPower();
      else box.killAgent();
      timeline.after(forMs, () => (kind === "power-cut" ? box.boot() : box.startAgent()));
    };
    if (box.agent && afterEffects > 0) box.agent.fuse = { left: afterEffects, blow };
    else if (box.isPowered) blow();
  }

  #endService({ hostId }: FaultOf<"service-ends">): void {
    const box = this.#boxes.get(hostId);
    const process = box?.listener;
    if (box && process && !process.stopping) box.endByItself(process);
  }

  #sicken({ hostId, forMs }: FaultOf<"service-sick">): void {
    const process = this.#boxes.get(hostId)?.listener;
    if (process) process.sickUntilMs = this.#around.timeline.nowMs + forMs;
  }

  #cutLinks({ parties, noticed, forMs }: FaultOf<"link-cut">): void {
    const { bus, timeline } = this.#around;
    for (const party of parties) {
      bus.cut(party, noticed);
      timeline.after(forMs, () => bus.mend(party));
    }
  }

  /** Its agent looks for that now and then. */
  #killMaster({ edgeId }: FaultOf<"nginx-master-killed">): void {
    const box = this.#boxes.get(edgeId);
    if (!box?.nginx?.isMasterAlive) return;
    box.nginx.killMaster();
    box.agent?.answer({ least: 1, most: 250 }, () => ({
      kind: "edge-down",
      message: "the inner nginx has no master process",
    }));
  }

  #endure(trouble: Trouble, forMs: number): void {
    const { weather, timeline } = this.#around;
    weather.begin(trouble);
    timeline.after(forMs, () => weather.end(trouble));
  }

  #trace(text: () => string): void {
    this.#around.trace.line(this.#around.timeline.nowMs, text);
  }
}
