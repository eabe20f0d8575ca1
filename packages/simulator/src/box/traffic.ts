import type { PeerCount } from "@siding/agent/machine/event";
import type { Member } from "@siding/shared/command";
import type { Address, HostId, ServiceName } from "@siding/shared/ids";
import type { Random } from "../random.ts";
import type { TrafficPlan } from "../scenario/scenario.ts";
import type { Timeline } from "../timeline.ts";
import { addressOf, strangerAddress } from "./address.ts";
import type { RoutedList } from "./routed-list.ts";

/** Longer than any drain deadline of a scenario. */
const endlessRequestMs = 600_000;
const mostAtOnce = 3;

interface Request {
  readonly edgeId: HostId;
  readonly untilMs: number;
}

/**
 * The requests on every instance, as a continuous model: where an edge routes to, there are some at any instant, or just
 * none; where it has stopped to, the last ones end after their seeded durations.
 */
export class Traffic {
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #plan: TrafficPlan;
  /** Both by address and service: what is sent to an address that a host had before reaches nobody. */
  readonly #left = new Map<string, Request[]>();
  readonly #routes = new Map<string, Map<HostId, number>>();
  #calm = false;

  constructor(timeline: Timeline, random: Random, plan: TrafficPlan) {
    this.#timeline = timeline;
    this.#random = random;
    this.#plan = plan;
  }

  /** From now on every request is short. */
  heal(): void {
    this.#calm = true;
    this.#left.clear();
  }

  open(edgeId: HostId, { service, members }: RoutedList): void {
    for (const { address } of members) {
      const key = keyOf(address, service);
      const routes = this.#routes.get(key) ?? new Map<HostId, number>();
      this.#routes.set(key, routes.set(edgeId, (routes.get(edgeId) ?? 0) + 1));
    }
  }

  /** Workers of a list are gone, and with `cut` the requests that they had. */
  close(edgeId: HostId, { service, members }: RoutedList, cut: boolean): void {
    for (const { hostId, address } of members) {
      const routes = this.#routes.get(keyOf(address, service));
      const left = (routes?.get(edgeId) ?? 0) - 1;
      if (left > 0) routes?.set(edgeId, left);
      else {
        routes?.delete(edgeId);
        if (!cut) this.#leaveBehind(edgeId, { hostId, address }, service);
      }
    }
    if (!cut) return;
    for (const [key, requests] of this.#left) {
      const others = requests.filter((request) => request.edgeId !== edgeId);
      this.#left.set(key, others);
    }
  }

  /** The instance is gone: so are the requests on it. */
  cut(address: Address, service: ServiceName): void {
    this.#left.delete(keyOf(address, service));
  }

  /** Requests that an instance still works on though no edge routes to it any more. */
  leftOn(address: Address, service: ServiceName): readonly Request[] {
    const left = this.#left.get(keyOf(address, service)) ?? [];
    return left.filter(({ untilMs }) => untilMs > this.#timeline.nowMs);
  }

  /** What counting the connections of an instance finds. */
  connectionsOf(address: Address, service: ServiceName): readonly PeerCount[] {
    const counts = new Map<HostId, number>();
    for (const { edgeId } of this.leftOn(address, service)) counts.set(edgeId, (counts.get(edgeId) ?? 0) + 1);
    for (const edgeId of this.#routes.get(keyOf(address, service))?.keys() ?? []) {
      counts.set(edgeId, (counts.get(edgeId) ?? 0) + this.#random.int(0, mostAtOnce));
    }
    const edges = [...counts].map(([edgeId, count]) => ({ address: addressOf(edgeId), count }));
    const strangers = this.#plan.stranger && !this.#calm ? [{ address: strangerAddress, count: 1 }] : [];
    return [...edges, ...strangers];
  }

  #leaveBehind(
    edgeId: HostId,
    { hostId, address }: Pick<Member, "hostId" | "address">,
    service: ServiceName,
  ): void {
    const endless = !this.#calm && this.#plan.endless.includes(hostId);
    const longestMs = this.#calm ? 50 : this.#plan.longestRequestMs;
    const requests = Array.from({ length: this.#random.int(endless ? 1 : 0, mostAtOnce) }, () => ({
      edgeId,
      untilMs: this.#timeline.nowMs + (endless ? endlessRequestMs : this.#random.spread(2, longestMs)),
    }));
    this.#left.set(keyOf(address, service), [...this.leftOn(address, service), ...requests]);
  }
}

function keyOf(address: Address, service: ServiceName): string {
  return `${address}/${service}`;
}
