import type { HostId } from "@siding/shared/ids";
import { isFinished } from "@siding/shared/phases";
import { reloadsSince } from "../ledger/fold-rollout.ts";
import type { HostEntry } from "../orchestrator/catalogue.ts";
import { edgeDocuments, fleetSummary } from "../orchestrator/document-fleet.ts";
import { rolloutDocument } from "../orchestrator/document-rollout.ts";
import { serviceDocument } from "../orchestrator/document-service.ts";
import type { View } from "../orchestrator/document-view.ts";
import type { RolloutRecord } from "../rollout/record.ts";
import { type Desk, viewOf } from "./desk.ts";
import type { MessageSource, StreamMessage } from "./event-stream.ts";

/** Hosts in one message: some 150 KB. */
const pageHosts = 500;
/** Finished rollouts that are shown besides those under way. */
const recentRollouts = 20;

/** Between two looks at the fleet: half a millisecond a host, so that a large fleet costs no more than a small one. */
const shortestPaceMs = 200;
const longestPaceMs = 2_000;

/**
 * The fleet as it is, then whatever of it has become another: compared with what this client was told last. So a slow
 * client misses steps and never the end of them, and all that is kept for it is one reference a host.
 */
export class FleetFeed implements MessageSource {
  readonly #desk: Desk;
  readonly #version: string;
  readonly #hosts = new Map<HostId, object>();
  readonly #said = new Map<string, string>();
  readonly #rollouts = new Map<string, { readonly record: RolloutRecord; readonly reloads: string }>();
  #isGreeted = false;
  #isComplete = false;

  constructor(desk: Desk, version: string) {
    this.#desk = desk;
    this.#version = version;
  }

  read(): readonly StreamMessage[] {
    const view = viewOf(this.#desk);
    const entries = this.#desk.catalogue.entries(view);
    const news = [
      ...this.#greeting(view),
      ...this.#overview(view, entries),
      ...this.#rolloutNews(view),
      ...this.#hostNews(entries),
    ];
    if (news.length > 0 || this.#isComplete) return news;
    this.#isComplete = true;
    return [{ event: "complete", data: {} }];
  }

  isOver(): boolean {
    return false;
  }

  subscribe(listener: () => void): () => void {
    let timer: NodeJS.Timeout;
    const look = () => {
      listener();
      const paceMs = this.#desk.ledger.state.hosts.size / 2;
      timer = setTimeout(look, Math.min(Math.max(paceMs, shortestPaceMs), longestPaceMs));
    };
    timer = setTimeout(look, shortestPaceMs);
    return () => clearTimeout(timer);
  }

  /** `now` lets the page count time as we do, whatever its own clock says. */
  #greeting({ clock }: View): readonly StreamMessage[] {
    if (this.#isGreeted) return [];
    this.#isGreeted = true;
    return [{ event: "hello", data: { version: this.#version, now: clock.at() } }];
  }

  /** What is small is said whole. */
  #overview(view: View, entries: readonly HostEntry[]): readonly StreamMessage[] {
    const hosts = entries.map(({ document }) => document);
    const { state } = view;
    return [
      ...this.#changed("fleet", { ...fleetSummary(view, hosts), troubles: this.#desk.troubles() }),
      ...this.#changed("services", {
        items: [...state.services.values()].map((each) => serviceDocument(view, each)),
      }),
      ...this.#changed("edges", { items: edgeDocuments(view) }),
    ];
  }

  #changed(event: string, data: object): readonly StreamMessage[] {
    const text = JSON.stringify(data);
    if (this.#said.get(event) === text) return [];
    this.#said.set(event, text);
    return [{ event, data }];
  }

  #hostNews(entries: readonly HostEntry[]): readonly StreamMessage[] {
    const changed = entries
      .filter((entry) => this.#hosts.get(entry.document.id) !== entry)
      .slice(0, pageHosts);
    for (const entry of changed) this.#hosts.set(entry.document.id, entry);
    const present =
      this.#hosts.size > entries.length ? new Set(entries.map(({ document }) => document.id)) : null;
    const gone = present ? [...this.#hosts.keys()].filter((id) => !present.has(id)) : [];
    for (const id of gone) this.#hosts.delete(id);
    if (changed.length === 0 && gone.length === 0) return [];
    return [{ event: "hosts", data: { items: changed.map(({ document }) => document), gone } }];
  }

  /** One message each: with a thousand hosts a rollout is long. Its texts count seconds; that alone is no news. */
  #rolloutNews(view: View): readonly StreamMessage[] {
    const shown = shownRollouts(view);
    const ids = new Set<string>(shown.map(({ id }) => id));
    const gone = [...this.#rollouts.keys()].filter((id) => !ids.has(id));
    for (const id of gone) this.#rollouts.delete(id);
    const changed = shown.filter((rollout) => this.#isNews(view, rollout));
    return [
      ...(gone.length > 0 ? [{ event: "rollouts-gone", data: { ids: gone } }] : []),
      ...changed.map((rollout) => ({ event: "rollout", data: rolloutDocument(view, rollout) })),
    ];
  }

  #isNews(view: View, rollout: RolloutRecord): boolean {
    const reloads = JSON.stringify(reloadsSince(view.state, rollout));
    const said = this.#rollouts.get(rollout.id);
    this.#rollouts.set(rollout.id, { record: rollout, reloads });
    return said?.record !== rollout || said.reloads !== reloads;
  }
}

/** All that are under way, and the newest of the others. */
function shownRollouts({ state }: View): readonly RolloutRecord[] {
  const all = [...state.rollouts.values()];
  const finished = all
    .filter(({ status }) => isFinished(status))
    .toSorted((left, right) => right.createdAtMs - left.createdAtMs)
    .slice(0, recentRollouts);
  return [...all.filter(({ status }) => !isFinished(status)), ...finished];
}
