import type { HostId, Version } from "@siding/shared/ids";
import type { RestartBody, RolloutBody } from "@siding/shared/rest";
import type { ServiceSpec } from "@siding/shared/spec";
import type { z } from "zod";
import type { Conduct } from "../box/conduct.ts";
import type { Deeds } from "./deed.ts";
import type { Fault } from "./fault.ts";

/** Everything that one seed decides before anything happens: the fleet, the wishes of people, and what goes wrong. */
export interface Scenario {
  readonly seed: number;
  readonly hosts: readonly HostPlan[];
  readonly edges: readonly AgentPlan[];
  readonly beatIntervalMs: number;
  /** On the same hosts, behind the same edges. */
  readonly services: readonly ServicePlan[];
  /** What a person does to hosts and edges by hand, meanwhile. */
  readonly deeds: readonly Deeds[];
  readonly faults: readonly Fault[];
  readonly weather: NetworkWeather;
  readonly traffic: TrafficPlan;
  /**
   * How long a round of the control plane takes: whatever comes meanwhile is decided on together, as in production, where
   * writing it down alone takes about 2 ms. 0: at once, so that nothing is decided on together by chance.
   */
  readonly roundMs: number;
  /** From here on nothing goes wrong any more, and everything must come to its end. */
  readonly healAtMs: number;
}

export interface AgentPlan {
  readonly hostId: HostId;
  /** When it is switched on for the first time. */
  readonly bornAtMs: number;
}

export interface HostPlan extends AgentPlan {
  /** The value of its label `zone`. */
  readonly zone: string;
  /** The share of its processors that is busy; null where its agent can't tell. */
  readonly load: number | null;
}

export interface ServicePlan {
  readonly spec: ServiceSpec;
  readonly written: Record<string, unknown>;
  readonly releases: readonly ReleasePlan[];
  /** Asked for one after the other. */
  readonly wishes: readonly Wish[];
  readonly person: PersonPlan;
}

/** How a release behaves: on every host alike, but for those that are named. */
export interface ReleasePlan {
  readonly version: Version;
  readonly conduct: Conduct;
  readonly elsewhere: ReadonlyMap<HostId, Conduct>;
}

/** A rollout that a person wants. */
export type Wish = MoveWish | RestartWish;

/** The service is to run again on some hosts, or on all. */
export interface RestartWish {
  readonly kind: "restart";
  readonly body: RestartBody;
  readonly isEager: boolean;
}

export interface MoveWish {
  /** What it is a rollout of; `undo`: whatever the newest finished rollout of a person came from. */
  readonly kind: "release" | "spec" | "undo";
  readonly version: Version;
  readonly body: z.output<typeof RolloutBody>;
  /** Declared just before; null where the spec stays as it is. */
  readonly declares: { readonly spec: ServiceSpec; readonly written: Record<string, unknown> } | null;
  /** Asked for while the one before is still under way: it waits in the queue. */
  readonly isEager: boolean;
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
