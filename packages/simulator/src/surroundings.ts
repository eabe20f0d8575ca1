import type { Address, HostId } from "@siding/shared/ids";
import type { Listener } from "./box/process.ts";
import type { Traffic } from "./box/traffic.ts";
import type { Ears } from "./ears.ts";
import type { Fact } from "./fact.ts";
import type { Bus } from "./network/bus.ts";
import type { Random } from "./random.ts";
import type { Scenario } from "./scenario/scenario.ts";
import type { Timeline } from "./timeline.ts";
import type { Trace } from "./trace.ts";
import type { Weather } from "./weather.ts";

/** What everything in a simulated world shares. */
export interface Surroundings {
  readonly scenario: Scenario;
  readonly timeline: Timeline;
  readonly random: Random;
  readonly weather: Weather;
  readonly bus: Bus;
  readonly traffic: Traffic;
  readonly trace: Trace;
  /** Where reports and beats arrive. */
  readonly ears: Ears;
  /** Puts a fact before the judges. */
  readonly record: (fact: Fact) => void;
  /** The machine that has an address. */
  readonly boxAt: (address: Address) => Listener | null;
  /** How busy a host's processors are, as its agent reads it; null where it can't. */
  readonly loadOf: (hostId: HostId) => number | null;
  /** Whether the control plane's artifacts can be fetched at present. */
  readonly servesArtifacts: () => boolean;
}
