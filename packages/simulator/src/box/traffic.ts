import type { PeerCount } from "@siding/agent/machine/event";
import type { HostId } from "@siding/shared/ids";
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
  readonly #left = new Map<HostId, Request[]>();
  readonly #routes = new Map<HostId, Map<HostId, number>>();
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

  open(edgeId: HostId, list: RoutedList): void {
    for (const { hostId } of list.members) {
      const routes = this.#routes.get(hostId) ?? new Map<HostId, number>();
      this.#routes.set(hostId, routes.set(edgeId, (routes.get(edgeId) ?? 0) + 1));
    }
  }

  /** Workers of a list are gone, and with `cut` the requests that they had. */
  close(edgeId: HostId, list: RoutedList, cut: boolean): void {
    for (const { hostId } of list.members) {
      const routes = this.#routes.get(hostId);
      const left = (routes?.get(edgeId) ?? 0) - 1;
      if (left > 0) routes?.set(edgeId, left);
      else {
        routes?.delete(edgeId);
        if (!cut) this.#leaveBehind(edgeId, hostId);
      }
    }
    if (!cut) return;
    for (const [hostId, requests] of this.#left) {
      this.#left.set(
        hostId,
        requests.filter((request) => request.edgeId !== edgeId),
      );
    }
  }

  /** The host's power is cut: so are the requests on it. */
  cut(hostId: HostId): void {
    this.#left.delete(hostId);
  }

  routes(edgeId: HostId, hostId: HostId): boolean {
    return this.#routes.get(hostId)?.has(edgeId) ?? false;
  }

  /** Requests that an instance still works on though no edge routes to it any more. */
  leftOn(hostId: HostId): readonly Request[] {
    return (this.#left.get(hostId) ?? []).filter(({ untilMs }) => untilMs > this.#timeline.nowMs);
  }

  /** What counting the connections of an instance finds. */
  connectionsOf(hostId: HostId): readonly PeerCount[] {
    const counts = new Map<HostId, number>();
    for (const { edgeId } of this.leftOn(hostId)) counts.set(edgeId, (counts.get(edgeId) ?? 0) + 1);
    for (const edgeId of this.#routes.get(hostId)?.keys() ?? []) {
      counts.set(edgeId, (counts.get(edgeId) ?? 0) + this.#random.int(0, mostAtOnce));
    }
    const edges = [...counts].map(([edgeId, count]) => ({ address: addressOf(edgeId), count }));
    const strangers = this.#plan.stranger && !this.#calm ? [{ address: strangerAddress, count: 1 }] : [];
    return [...edges, ...strangers];
  }

  #leaveBehind(edgeId: HostId, hostId: HostId): void {
    const endless = !this.#calm && this.#plan.endless.includes(hostId);
    const longestMs = this.#calm ? 50 : this.#plan.longestRequestMs;
    const requests = Array.from({ length: this.#random.int(endless ? 1 : 0, mostAtOnce) }, () => ({
      edgeId,
      untilMs: this.#timeline.nowMs + (endless ? endlessRequestMs : this.#random.spread(2, longestMs)),
    }));
    this.#left.set(hostId, [...this.leftOn(hostId), ...requests]);
  }
}
