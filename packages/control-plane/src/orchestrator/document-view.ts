import type { HostId } from "@siding/shared/ids";
import type { LiveFleet } from "../fleet/live.ts";
import type { LedgerClock } from "../ledger/clock.ts";
import type { LedgerState } from "../ledger/state.ts";
import { goneHosts } from "./holds.ts";

/** What the documents of the REST API are made from, at one instant. */
export interface View {
  readonly state: LedgerState;
  readonly live: LiveFleet;
  readonly clock: LedgerClock;
  readonly nowMs: number;
  /** Hosts of the config: they are shown before their agents have ever reported. */
  readonly declared: ReadonlySet<HostId>;
}

/** `h2` before `h10`. */
const inNumericOrder = new Intl.Collator("en", { numeric: true });

/** Every host that is declared or has reported, less those that are gone; in no order. */
export function shownHosts({ state, declared }: View): readonly HostId[] {
  const ids = new Set([...declared, ...state.hosts.keys()]);
  const gone = goneHosts(state);
  return [...ids].filter((id) => !gone.has(id));
}

/** The same in the order of the ids. */
export function hostIdsOf(view: View): readonly HostId[] {
  return shownHosts(view).toSorted(inNumericOrder.compare);
}
