import type { HostId } from "@siding/shared/ids";
import { ageOf, replacedIn } from "../ledger/record-map.ts";
import type { HostRecord, LedgerState } from "../ledger/state.ts";
import { isNamedIn, withEntries } from "../rollout/by-host.ts";
import { holdsUntilMs, type LiveFleet } from "./live.ts";

/** What views are made from. */
interface Sources {
  readonly state: LedgerState;
  readonly live: LiveFleet;
  readonly nowMs: number;
}

/** Views as they were made last, and all that they depend on. */
interface Kept<V> {
  readonly hostIds: readonly HostId[];
  readonly views: readonly V[];
  readonly hosts: LedgerState["hosts"];
  readonly hostsAge: number;
  readonly beats: LiveFleet["beats"];
  readonly beatsAge: number;
  readonly connectedSinceMs: number | null;
  readonly epoch: number;
  readonly restoredEpoch: number;
  /** Between these instants time alone changes none of them. */
  readonly fromMs: number;
  readonly untilMs: number;
}

/**
 * Keeps views of hosts as long as they hold: a view is made anew only where its host's record or beat was replaced, or
 * somebody has fallen silent. The list is the same one as long as all its views are.
 */
export class ViewShelf<V extends { readonly hostId: HostId }> {
  readonly #kept = new WeakMap<object, Kept<V>>();

  /** The views of these hosts. `key` stands for what they are views of. */
  viewsOf(
    key: object,
    hostIds: readonly HostId[],
    sources: Sources,
    make: (host: HostRecord) => V,
  ): readonly V[] {
    const known = this.#kept.get(key);
    const replaced = known && isSameFleet(known, hostIds, sources) ? replacedSince(known, sources) : null;
    if (known && replaced?.length === 0) return known.views;
    const fresh = replaced ?? hostIds;
    const made = fresh.flatMap((hostId) => sources.state.hosts.get(hostId) ?? []).map(make);
    const views = known && replaced ? withEntries(known.views, made) : made;
    const untilMs = fresh.reduce(
      (earliestMs, hostId) => Math.min(earliestMs, holdsUntilMs(sources.live, hostId, sources.nowMs)),
      known && replaced ? known.untilMs : Number.POSITIVE_INFINITY,
    );
    this.#kept.set(key, keptFrom(sources, { hostIds, views, untilMs }));
    return views;
  }
}

/** Everything that concerns all views at once is as it was. */
function isSameFleet<V>(
  known: Kept<V>,
  hostIds: readonly HostId[],
  { state, live, nowMs }: Sources,
): boolean {
  return (
    known.hostIds === hostIds &&
    known.hosts === state.hosts &&
    known.beats === live.beats &&
    known.connectedSinceMs === live.connectedSinceMs &&
    known.epoch === state.epoch &&
    known.restoredEpoch === state.restoredEpoch &&
    nowMs >= known.fromMs &&
    nowMs <= known.untilMs
  );
}

/** Whose record or beat is another since, of those who are looked at; null where nobody knows. */
function replacedSince<V extends { readonly hostId: HostId }>(
  known: Kept<V>,
  { state, live }: Sources,
): readonly HostId[] | null {
  const records = state.hosts.replacedSince(known.hostsAge);
  const beats = replacedIn(live.beats, known.beatsAge);
  if (records === null || beats === null) return null;
  return [...new Set<HostId>([...records, ...beats])].filter((hostId) => isNamedIn(known.views, hostId));
}

function keptFrom<V>(
  { state, live, nowMs }: Sources,
  made: Pick<Kept<V>, "hostIds" | "views" | "untilMs">,
): Kept<V> {
  const { hosts, epoch, restoredEpoch } = state;
  const { beats, connectedSinceMs } = live;
  return {
    ...made,
    hosts,
    hostsAge: hosts.age,
    beats,
    beatsAge: ageOf(beats),
    connectedSinceMs,
    epoch,
    restoredEpoch,
    fromMs: nowMs,
  };
}
