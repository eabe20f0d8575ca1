import type { HostId } from "@siding/shared/ids";
import type { Box } from "./box/box.ts";
import type { Clones } from "./clones.ts";
import type { Operator } from "./operator.ts";
import type { Person } from "./person.ts";
import type { ControlPlane } from "./plane/control-plane.ts";
import type { Killer } from "./plane/killer.ts";
import { controlPlaneParty, type Fault, type Party } from "./scenario/fault.ts";
import type { Surroundings } from "./surroundings.ts";
import type { Trouble } from "./weather.ts";

type FaultOf<Kind extends Fault["kind"]> = Extract<Fault, { kind: Kind }>;

/** Those whom fate strikes besides machines. */
interface Victims {
  readonly plane: ControlPlane;
  readonly killer: Killer;
  readonly people: readonly Person[];
  readonly operator: Operator;
}

/** Lets the scenario's faults happen, each at its time, and in the end makes everything well again. */
export class Fate {
  readonly #around: Surroundings;
  readonly #boxes: ReadonlyMap<HostId, Box>;
  readonly #clones: Clones;
  readonly #victims: Victims;

  constructor(
    around: Surroundings,
    boxes: ReadonlyMap<HostId, Box>,
    clones: Clones,
    { plane, killer, people, operator }: Victims,
  ) {
    this.#around = around;
    this.#boxes = boxes;
    this.#clones = clones;
    this.#victims = { plane, killer, people, operator };
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
    this.#victims.killer.heal();
    this.#victims.plane.start();
    this.#clones.endAll();
    const agents = [...scenario.hosts, ...scenario.edges].map(({ hostId }) => hostId);
    for (const party of [controlPlaneParty, ...agents]) bus.mendAll(party as Party);
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
      case "host-moved":
        this.#boxes.get(fault.hostId)?.move();
        return;
      case "host-cloned":
        this.#clone(fault);
        return;
      case "clock-set":
        this.#around.weather.wallOffsetMs += fault.byMs;
        return;
      case "ledger-restored":
        this.#restore(fault);
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

  #clone({ hostId, forMs }: FaultOf<"host-cloned">): void {
    this.#clones.clone(hostId);
    this.#around.timeline.after(forMs, () => this.#clones.end(hostId));
  }

  /** People learn of it. */
  #restore({ share, forMs, goOnAfterMs }: FaultOf<"ledger-restored">): void {
    this.#victims.plane.restore(share, forMs);
    for (const person of this.#victims.people) person.ledgerReplaced();
    if (goOnAfterMs !== null) this.#victims.operator.ledgerRestored(goOnAfterMs);
    else for (const person of this.#victims.people) person.ledgerRestored();
  }

  #endService({ hostId, service }: FaultOf<"service-ends">): void {
    const box = this.#boxes.get(hostId);
    const process = box?.processOf(service);
    if (box && process && !process.stopping) box.endByItself(process);
  }

  #sicken({ hostId, service, forMs }: FaultOf<"service-sick">): void {
    const process = this.#boxes.get(hostId)?.processOf(service);
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
    if (!box?.nginx?.isAlive) return;
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
