import type { Labels } from "@siding/shared/ids";
import type { ServiceSpec } from "@siding/shared/spec";
import type { PortsSpec } from "@siding/shared/target";
import { matches } from "../fleet/snapshot.ts";
import { hostsInOrder } from "../ledger/selection.ts";
import type { LedgerState, ServiceRecord } from "../ledger/state.ts";
import type { Refusal } from "./refusal.ts";

/**
 * Why the ports of a spec can't be had: a host that both services match would run two instances on one port. Refused is
 * what is certain: hosts that match both, or will as soon as there are any, since one match includes the other.
 */
export function portConflict(state: LedgerState, spec: ServiceSpec): Refusal | null {
  for (const [name, other] of state.services) {
    const shared = name === spec.name ? null : sharedPort(spec.target.ports, other);
    const where = shared && whereBoth(state, spec, other.spec);
    if (!shared || !where) continue;
    const { port, slot, otherSlot, isOld } = shared;
    const until = isOld ? ", until a rollout brings its hosts to its new ports" : "";
    const message = `port ${port} (${slot}) is also port ${otherSlot} of service ${name} ${where}${until}; give one of them another port`;
    return { code: "port-conflict", message, errors: [{ path: pathOf(spec, slot), message }] };
  }
  return null;
}

interface SharedPort {
  readonly port: number;
  readonly slot: Slot;
  readonly otherSlot: Slot;
  /** Not in the other's spec any more, but in what it serves. */
  readonly isOld: boolean;
}

type Slot = keyof PortsSpec;
const slots = ["blue", "green"] as const;

function sharedPort(ports: PortsSpec, other: ServiceRecord): SharedPort | null {
  const declared = sharedWith(ports, other.spec.target.ports, false);
  return declared ?? (other.target && sharedWith(ports, other.target.spec.ports, true));
}

function sharedWith(ports: PortsSpec, theirs: PortsSpec, isOld: boolean): SharedPort | null {
  for (const slot of slots) {
    const port = ports[slot];
    const otherSlot = slots.find((each) => port !== null && theirs[each] === port);
    if (port !== null && otherSlot) return { port, slot, otherSlot, isOld };
  }
  return null;
}

const namedHosts = 5;

/** Where instances of both are, in words; null where no host can be said to run both. */
function whereBoth(state: LedgerState, left: ServiceSpec, right: ServiceSpec): string | null {
  const both = hostsInOrder(state).filter(
    (host) =>
      host.hold?.kind !== "removed" &&
      matches(host, "host", left.hosts.match) &&
      matches(host, "host", right.hosts.match),
  );
  const named = both.slice(0, namedHosts).map(({ hostId }) => hostId);
  const more = both.length - named.length;
  if (both.length > 0) return `on ${named.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
  const nested =
    includes(left.hosts.match, right.hosts.match) || includes(right.hosts.match, left.hosts.match);
  return nested ? "on every host that matches both" : null;
}

/** Whatever matches the narrower one matches the wider one. */
function includes(wider: Labels, narrower: Labels): boolean {
  return Object.entries(wider).every(([label, value]) => narrower[label] === value);
}

/** A service without an idle slot was written with `port`. */
function pathOf({ target }: ServiceSpec, slot: Slot): string {
  return target.ports.green === null ? "port" : `ports.${slot}`;
}
