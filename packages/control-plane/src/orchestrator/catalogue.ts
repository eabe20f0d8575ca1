import type { HostId } from "@siding/shared/ids";
import type { HostDocument } from "@siding/shared/rest";
import { type BeatRecord, hasConflict, livenessOf } from "../fleet/live.ts";
import { emptyHost, type HostRecord } from "../ledger/state.ts";
import { hostDocumentOf, instanceStates, type ListedInstances, listedInstances } from "./document-fleet.ts";
import { hostIdsOf, shownHosts, type View } from "./document-view.ts";

/** A host as it reads at present. The same object as long as nothing of it has changed. */
export interface HostEntry {
  readonly document: HostDocument;
  /** The document as JSON, made once. */
  readonly text: string;
}

/** What an entry was made from: as long as this is the same, so is the entry. */
interface Origin {
  readonly host: HostRecord;
  readonly beat: BeatRecord | undefined;
  readonly liveness: string;
  readonly sequence: number;
  readonly states: string;
  readonly entry: HostEntry;
}

/**
 * Every host as it reads at present, made again only where a commit, a beat or a silence has changed it: asking for a
 * fleet of 10,000 costs a look at each, not a document of each.
 */
export class Catalogue {
  readonly #origins = new Map<HostId, Origin>();
  #ids: readonly HostId[] = [];
  #listed: { readonly sequence: number; readonly instances: ListedInstances } | null = null;

  /** In the order of the ids. */
  entries(view: View): readonly HostEntry[] {
    return this.#idsOf(view).map((id) => this.#entryOf(view, id));
  }

  #entryOf(view: View, id: HostId): HostEntry {
    const { sequence } = view.state;
    const before = this.#origins.get(id);
    const host = view.state.hosts.get(id) ?? before?.host ?? emptyHost(id);
    const beat = view.live.beats.get(id);
    const liveness = livenessText(view, id);
    const isOld = before?.host === host && before.beat === beat && before.liveness === liveness;
    if (isOld && before.sequence === sequence) return before.entry;
    const listed = this.#listedIn(view);
    const states = instanceStates(view, id, host, listed).join();
    const entry = isOld && before.states === states ? before.entry : entryOf(view, id, host, listed);
    this.#origins.set(id, { host, beat, liveness, sequence, states, entry });
    return entry;
  }

  #listedIn(view: View): ListedInstances {
    const { sequence } = view.state;
    if (this.#listed?.sequence !== sequence) {
      this.#listed = { sequence, instances: listedInstances(view) };
    }
    return this.#listed.instances;
  }

  /** Sorting thousands of ids takes longer than all the rest: only where there are others than the last time. */
  #idsOf(view: View): readonly HostId[] {
    const shown = shownHosts(view);
    const known = new Set(this.#ids);
    const isSame = known.size === shown.length && shown.every((id) => known.has(id));
    if (!isSame) this.#ids = hostIdsOf(view);
    return this.#ids;
  }
}

function livenessText({ live, nowMs }: View, id: HostId): string {
  const liveness = livenessOf(live, id, nowMs);
  const kind = hasConflict(live, id, nowMs) ? `${liveness.kind}, cloned` : liveness.kind;
  return liveness.kind === "alive" ? kind : `${kind} ${liveness.heardMs}`;
}

function entryOf(view: View, id: HostId, host: HostRecord, listed: ListedInstances): HostEntry {
  const document = hostDocumentOf(view, id, host, listed);
  let text: string | undefined;
  return {
    document,
    get text() {
      text ??= JSON.stringify(document);
      return text;
    },
  };
}
