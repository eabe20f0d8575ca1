import type { Journal } from "@siding/agent/machine/journal";
import type { LedgerEvent } from "@siding/control-plane/ledger/event";
import type { Command } from "@siding/shared/command";
import type { HookName } from "@siding/shared/hooks";
import type { HostId, Incarnation } from "@siding/shared/ids";
import type { ServiceProcess } from "./box/process.ts";
import type { RoutedList } from "./box/routed-list.ts";

/** Something that really happened, as a judge sees it: in the log, on a host, at an edge or on the wire. */
export type Fact =
  | { readonly kind: "event"; readonly event: LedgerEvent }
  /** The control plane decides and decides, and comes to no rest. */
  | { readonly kind: "restless"; readonly passes: number }
  | { readonly kind: "published"; readonly command: Command }
  /** A beat has reached the control plane. */
  | { readonly kind: "beat-heard"; readonly hostId: HostId; readonly incarnation: Incarnation }
  /** The control plane hears the bus from now on; before, nobody's silence means anything. */
  | { readonly kind: "listening" }
  | { readonly kind: "deaf" }
  | { readonly kind: "journal-written"; readonly hostId: HostId; readonly journal: Journal }
  | { readonly kind: "process-started"; readonly hostId: HostId; readonly process: ServiceProcess }
  /** SIGTERM, by the agent. */
  | { readonly kind: "process-stopped"; readonly hostId: HostId; readonly process: ServiceProcess }
  /** Ended by itself, or by a fault. */
  | { readonly kind: "process-lost"; readonly hostId: HostId; readonly process: ServiceProcess }
  /** A program of the user's, begun by the agent: it may have done what it does from here on. */
  | {
      readonly kind: "hook-begun";
      readonly hostId: HostId;
      readonly hook: HookName;
      readonly runId: string;
      /** No other hook of this service runs on that host. */
      readonly isAlone: boolean;
      readonly idempotent: boolean;
    }
  /** `by` asked the process of `hostId` for its health. */
  | {
      readonly kind: "probed";
      readonly by: HostId;
      readonly hostId: HostId;
      readonly process: ServiceProcess | null;
      readonly good: boolean;
    }
  /** The machine has another address from now on. */
  | { readonly kind: "moved"; readonly hostId: HostId }
  /** The control plane's disk has an older log; the revisions that it said since are `forgotten`. */
  | {
      readonly kind: "ledger-restored";
      readonly kept: readonly LedgerEvent[];
      readonly forgotten: readonly number[];
    }
  /** Workers of an edge begin to route by a list, beside those that still do by older ones. */
  | { readonly kind: "routed"; readonly edgeId: HostId; readonly list: RoutedList };
export type FactOf<Kind extends Fact["kind"]> = Extract<Fact, { kind: Kind }>;
