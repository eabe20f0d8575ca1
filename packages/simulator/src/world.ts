import type { AgentIdentity } from "@siding/agent/machine/state";
import type { Core } from "@siding/control-plane/orchestrator/decide";
import type { HostId, Incarnation } from "@siding/shared/ids";
import { addressOf } from "./box/address.ts";
import { Agent } from "./box/agent.ts";
import { Box } from "./box/box.ts";
import { Traffic } from "./box/traffic.ts";
import { Fate } from "./fate.ts";
import { Court } from "./judges/court.ts";
import { Bus } from "./network/bus.ts";
import { Person } from "./person.ts";
import { ControlPlane } from "./plane/control-plane.ts";
import { Killer } from "./plane/killer.ts";
import { MemoryLedger } from "./plane/memory-ledger.ts";
import { Random } from "./random.ts";
import type { Scenario } from "./scenario/scenario.ts";
import type { Surroundings } from "./surroundings.ts";
import { Timeline } from "./timeline.ts";
import type { Trace } from "./trace.ts";
import type { Truth } from "./truth.ts";
import { Weather } from "./weather.ts";

/** Everything of one run, wired: a fleet, its control plane, a person, fate and the court. */
export class World {
  readonly scenario: Scenario;
  readonly timeline = new Timeline();
  readonly court = new Court();
  readonly ledger = new MemoryLedger();
  readonly boxes: ReadonlyMap<HostId, Box>;
  readonly plane: ControlPlane;
  readonly person: Person;
  readonly truth: Truth;
  readonly killer: Killer;
  readonly #fate: Fate;

  constructor(scenario: Scenario, core: Core, trace: Trace) {
    this.scenario = scenario;
    const { timeline } = this;
    const random = new Random(scenario.seed);
    const boxes = new Map<HostId, Box>();
    const weather = new Weather();
    const around: Surroundings = {
      scenario,
      timeline,
      weather,
      trace,
      random: random.fork("world"),
      bus: new Bus(timeline, random.fork("bus"), scenario.weather),
      traffic: new Traffic(timeline, random.fork("traffic"), scenario.traffic),
      ears: {
        report: (report) => this.plane.report(report),
        beat: (beat) => this.plane.beat(beat),
      },
      record: (fact) => this.court.hear(fact, this.truth),
      processOf: (hostId) => boxes.get(hostId)?.listener ?? null,
      hostAt: (address) => byAddress.get(address) ?? null,
      servesArtifacts: () => this.plane.isAlive,
    };
    const awake = (box: Box, incarnation: Incarnation) => new Agent(box, incarnation);
    for (const identity of identitiesOf(scenario))
      boxes.set(identity.hostId, new Box(identity, around, awake));
    const byAddress = new Map([...boxes.keys()].map((hostId) => [addressOf(hostId), hostId]));
    this.boxes = boxes;
    this.killer = new Killer(scenario.faults.filter((fault) => fault.kind === "control-plane-killed"));
    this.plane = new ControlPlane(around, this.ledger, core, this.killer, (command) => {
      boxes.get(command.hostId)?.agent?.hear(command);
    });
    this.person = new Person(around, this.plane);
    this.#fate = new Fate(around, boxes, this.plane, this.killer);
    this.truth = truthOf(around, boxes);
  }

  /** Everybody comes to life. */
  begin(): void {
    const { scenario, timeline, boxes } = this;
    this.plane.start();
    for (const hostId of scenario.hosts) boxes.get(hostId)?.boot();
    for (const { hostId, bornAtMs } of scenario.edges) timeline.at(bornAtMs, () => boxes.get(hostId)?.boot());
    this.person.begin();
    this.#fate.begin();
  }
}

function identitiesOf({ hosts, edges, beatIntervalMs }: Scenario): readonly AgentIdentity[] {
  const identity = (hostId: HostId, role: "host" | "edge"): AgentIdentity => ({
    hostId,
    address: addressOf(hostId),
    labels: { role: role === "host" ? "web" : "edge" },
    roles: [role],
    agentVersion: "simulated",
    hostname: hostId,
    edgeAddresses: role === "edge" ? [addressOf(hostId)] : [],
    beatIntervalMs,
    inventory: null,
  });
  return [...hosts.map((id) => identity(id, "host")), ...edges.map(({ hostId }) => identity(hostId, "edge"))];
}

function truthOf(around: Surroundings, boxes: ReadonlyMap<HostId, Box>): Truth {
  const { scenario, timeline, weather, bus, traffic } = around;
  const edgeIds = scenario.edges.map(({ hostId }) => hostId);
  return {
    get nowMs() {
      return timeline.nowMs;
    },
    get healed() {
      return weather.healed;
    },
    hostIds: () => scenario.hosts,
    edgeIds: () => edgeIds,
    processOf: around.processOf,
    isReachable: (hostId) => bus.isUp(hostId) && boxes.get(hostId)?.agent !== null,
    listsOf: (edgeId) => boxes.get(edgeId)?.nginx?.lists ?? [],
    hasPath: (edgeId, hostId) => weather.hasPath(edgeId, hostId),
    inFlight: (hostId) => traffic.leftOn(hostId).length,
  };
}
