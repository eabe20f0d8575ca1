import type { AgentIdentity } from "@siding/agent/machine/state";
import type { Address, HostId, Incarnation } from "@siding/shared/ids";
import { addressOf, usualHostAt } from "./box/address.ts";
import { Agent } from "./box/agent.ts";
import { Box } from "./box/box.ts";
import { Traffic } from "./box/traffic.ts";
import { Clones } from "./clones.ts";
import { Fate } from "./fate.ts";
import { Court } from "./judges/court.ts";
import { Bus } from "./network/bus.ts";
import { Operator } from "./operator.ts";
import { Person } from "./person.ts";
import type { Brain } from "./plane/brain.ts";
import { ControlPlane } from "./plane/control-plane.ts";
import { Killer } from "./plane/killer.ts";
import { MemoryLedger } from "./plane/memory-ledger.ts";
import { Random } from "./random.ts";
import { controlPlaneParty } from "./scenario/fault.ts";
import type { Scenario } from "./scenario/scenario.ts";
import type { Surroundings } from "./surroundings.ts";
import { Timeline } from "./timeline.ts";
import type { Trace } from "./trace.ts";
import type { Truth } from "./truth.ts";
import { Weather } from "./weather.ts";

/** What a world is made with. */
export interface Making {
  readonly brain: Brain;
  /** The production checker refuses decisions that break a rule. */
  readonly checker: boolean;
  /** Without, nobody judges: for measuring how fast the cores are. */
  readonly judges: boolean;
  readonly trace: Trace;
}

/** Everything of one run, wired: a fleet, its control plane, people, fate and the court. */
export class World {
  readonly scenario: Scenario;
  readonly timeline = new Timeline();
  readonly court = new Court();
  readonly ledger: MemoryLedger;
  readonly boxes: ReadonlyMap<HostId, Box>;
  readonly plane: ControlPlane;
  readonly people: readonly Person[];
  readonly operator: Operator;
  readonly truth: Truth;
  readonly killer: Killer;
  readonly #fate: Fate;

  constructor(scenario: Scenario, { brain, checker, judges, trace }: Making) {
    this.scenario = scenario;
    const { timeline } = this;
    const random = new Random(scenario.seed);
    const boxes = new Map<HostId, Box>();
    const loads = new Map(scenario.hosts.map(({ hostId, load }) => [hostId, load]));
    const around: Surroundings = {
      scenario,
      timeline,
      weather: new Weather(),
      trace,
      random: random.fork("world"),
      bus: new Bus(timeline, random.fork("bus"), scenario.weather),
      traffic: new Traffic(timeline, random.fork("traffic"), scenario.traffic),
      ears: {
        report: (report) => this.plane.report(report),
        beat: (beat) => this.plane.beat(beat),
      },
      record: judges ? (fact) => this.court.hear(fact, this.truth) : () => {},
      boxAt: (address) => boxAt(boxes, address),
      loadOf: (hostId) => loads.get(hostId) ?? null,
      servesArtifacts: () => this.plane.isAlive,
    };
    const awake = (box: Box, incarnation: Incarnation) => new Agent(box, incarnation);
    for (const identity of identitiesOf(scenario)) {
      boxes.set(identity.hostId, new Box(identity, around, awake));
    }
    const clones = new Clones(around, boxes, awake);
    this.boxes = boxes;
    this.ledger = new MemoryLedger(brain.fold);
    this.killer = new Killer(scenario.faults.filter((fault) => fault.kind === "control-plane-killed"));
    this.plane = new ControlPlane(around, this.ledger, { brain, checker }, this.killer, (command) => {
      for (const box of clones.allOf(command.hostId)) {
        around.bus.send(controlPlaneParty, box.party, () => box.agent?.hear(command));
      }
    });
    this.people = scenario.services.map((plan) => new Person(around, this.plane, brain, plan));
    this.operator = new Operator(around, boxes, this.plane, brain);
    this.#fate = new Fate(around, boxes, clones, this);
    this.truth = truthOf(around, boxes, clones);
  }

  /** Nothing is wanted any more that has not come to its end. */
  get isContent(): boolean {
    return this.operator.isContent && this.people.every((person) => person.isContent);
  }

  /** Everybody comes to life. */
  begin(): void {
    const { scenario, timeline, boxes } = this;
    this.plane.start();
    for (const { hostId, bornAtMs } of [...scenario.hosts, ...scenario.edges]) {
      timeline.at(bornAtMs, () => boxes.get(hostId)?.boot());
    }
    for (const person of this.people) person.begin();
    this.operator.begin();
    this.#fate.begin();
  }
}

/** Most are where they always were. */
function boxAt(boxes: ReadonlyMap<HostId, Box>, address: Address): Box | null {
  const usual = boxes.get(usualHostAt(address));
  if (usual?.address === address) return usual;
  return [...boxes.values()].find((box) => box.address === address) ?? null;
}

function identitiesOf({ hosts, edges, beatIntervalMs }: Scenario): readonly AgentIdentity[] {
  const identity = (hostId: HostId, role: "host" | "edge", zone: string): AgentIdentity => ({
    hostId,
    address: addressOf(hostId),
    labels: { role: role === "host" ? "web" : "edge", zone },
    roles: [role],
    agentVersion: "simulated",
    hostname: hostId,
    edgeAddresses: role === "edge" ? [addressOf(hostId)] : [],
    beatIntervalMs,
    inventory: null,
  });
  return [
    ...hosts.map(({ hostId, zone }) => identity(hostId, "host", zone)),
    ...edges.map(({ hostId }) => identity(hostId, "edge", "edge")),
  ];
}

function truthOf(around: Surroundings, boxes: ReadonlyMap<HostId, Box>, clones: Clones): Truth {
  const { scenario, timeline, weather, bus, traffic } = around;
  const hostIds = scenario.hosts.map(({ hostId }) => hostId);
  const edgeIds = scenario.edges.map(({ hostId }) => hostId);
  return {
    get nowMs() {
      return timeline.nowMs;
    },
    get healed() {
      return weather.healed;
    },
    hostIds: () => hostIds,
    edgeIds: () => edgeIds,
    processOf: (hostId, service) => boxes.get(hostId)?.processOf(service) ?? null,
    addressOf: (hostId) => boxes.get(hostId)?.address ?? null,
    isReachable: (hostId) => bus.isUp(hostId) && (boxes.get(hostId)?.agent ?? null) !== null,
    isCloned: (hostId) => clones.hasHad(hostId),
    listsOf: (edgeId, service) => boxes.get(edgeId)?.nginx?.listsOf(service) ?? [],
    hasPath: (edgeId, hostId) => weather.hasPath(edgeId, hostId),
    inFlight: (hostId, service, edges) => {
      const box = boxes.get(hostId);
      const left = box ? traffic.leftOn(box.address, service) : [];
      return left.filter(({ edgeId }) => edges.includes(edgeId)).length;
    },
  };
}
