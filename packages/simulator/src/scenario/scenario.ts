import type { HostId, Version } from "@siding/shared/ids";
import type { RolloutBody } from "@siding/shared/rest";
import type { ServiceSpec } from "@siding/shared/spec";
import type { z } from "zod";
import type { Conduct } from "../box/conduct.ts";
import type { Fault } from "./fault.ts";

/** Everything that one seed decides before anything happens: the fleet, the wishes of a person, and what goes wrong. */
export interface Scenario {
  readonly seed: number;
  readonly hosts: readonly HostId[];
  readonly edges: readonly EdgePlan[];
  readonly beatIntervalMs: number;
  readonly spec: ServiceSpec;
  readonly written: Record<string, unknown>;
  readonly releases: readonly ReleasePlan[];
  /** Rolled out one after the other. */
  readonly wishes: readonly Wish[];
  readonly faults: readonly Fault[];
  readonly weather: NetworkWeather;
  readonly traffic: TrafficPlan;
  readonly person: PersonPlan;
  /** From here on nothing goes wrong any more, and everything must come to its end. */
  readonly healAtMs: number;
}

export interface EdgePlan {
  readonly hostId: HostId;
  /** When it is switched on for the first time. */
  readonly bornAtMs: number;
}

/** How a release behaves: on every host alike, but for those that are named. */
export interface ReleasePlan {
  readonly version: Version;
  readonly conduct: Conduct;
  readonly elsewhere: ReadonlyMap<HostId, Conduct>;
}

export interface Wish {
  readonly version: Version;
  readonly body: z.output<typeof RolloutBody>;
}

/** What happens to messages before everything heals. */
export interface NetworkWeather {
  readonly longestDelayMs: number;
  readonly loss: number;
  readonly duplication: number;
  readonly reordering: number;
}

export interface TrafficPlan {
  readonly longestRequestMs: number;
  /** Hosts whose requests outlast any drain. */
  readonly endless: readonly HostId[];
  /** A peer that is no edge stays connected to every instance. */
  readonly stranger: boolean;
}

export interface PersonPlan {
  /** Said to whatever rollout is under way then, while things go wrong. */
  readonly says: readonly { readonly atMs: number; readonly verb: PersonVerb }[];
  /** How long a paused rollout is looked at before something is said. */
  readonly patienceMs: number;
  /** So often a paused rollout is resumed before it is ended. */
  readonly resumes: number;
  readonly ending: "abort" | "rollback";
}

export type PersonVerb = "pause" | "resume" | "promote" | "abort" | "rollback";
