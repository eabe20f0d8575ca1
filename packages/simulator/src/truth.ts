import type { Address, HostId, ServiceName } from "@siding/shared/ids";
import type { ServiceProcess } from "./box/process.ts";
import type { RoutedList } from "./box/routed-list.ts";

/** What is, whatever anybody believes: read-only, for judges. */
export interface Truth {
  readonly nowMs: number;
  /** Nothing goes wrong any more. */
  readonly healed: boolean;
  hostIds(): readonly HostId[];
  edgeIds(): readonly HostId[];
  /** The process that answers on a host's port of a service. */
  processOf(hostId: HostId, service: ServiceName): ServiceProcess | null;
  addressOf(hostId: HostId): Address | null;
  /** The agent lives, and its connection to the bus as well. */
  isReachable(hostId: HostId): boolean;
  /** A second machine claims to be this host, or did: what was believed of it may be true of the other one. */
  isCloned(hostId: HostId): boolean;
  /** Every list of a service that some worker of the edge routes by, newest last; empty while its nginx is down. */
  listsOf(edgeId: HostId, service: ServiceName): readonly RoutedList[];
  /** Requests and probes of the edge reach the host's network. */
  hasPath(edgeId: HostId, hostId: HostId): boolean;
  /** Requests of these edges that the host's instance is working on. */
  inFlight(hostId: HostId, service: ServiceName, edges: readonly HostId[]): number;
}
