import type { HostId, RolloutId } from "@siding/shared/ids";
import type { Logger } from "pino";
import type { DownloadPlaces } from "../artifacts/places.ts";
import type { ArtifactStore } from "../artifacts/store.ts";
import type { UrlFetcher } from "../artifacts/url-fetcher.ts";
import type { BeatStore } from "../fleet/beats.ts";
import type { EventBody } from "../ledger/event.ts";
import type { Ledger } from "../ledger/store.ts";
import type { Catalogue } from "../orchestrator/catalogue.ts";
import type { View } from "../orchestrator/document-view.ts";
import type { Orchestrator } from "../orchestrator/loop.ts";
import type { Tokens } from "./auth.ts";

/** The figures for Prometheus, as far as routes write and read them. */
interface MetricsSheet {
  readonly mediaType: string;
  text(): Promise<string>;
  answered(method: string, route: string, status: number, durationMs: number): void;
}

/** What the routes work with. */
export interface Desk {
  readonly ledger: Ledger;
  readonly orchestrator: Orchestrator;
  readonly beats: BeatStore;
  readonly catalogue: Catalogue;
  readonly artifacts: ArtifactStore;
  readonly downloads: DownloadPlaces;
  readonly fetcher: UrlFetcher;
  readonly tokens: Tokens;
  /** The hosts of the config. */
  readonly declared: ReadonlySet<HostId>;
  readonly newRolloutId: () => RolloutId;
  /** Why the control plane can't do its work at present; empty: it can. */
  readonly troubles: () => readonly Trouble[];
  readonly metrics: MetricsSheet;
  readonly log: Logger;
}

export interface Trouble {
  readonly what: "nats" | "ledger";
  readonly message: string;
}

/** All that documents are made from, at this instant. */
export function viewOf({ ledger, beats, declared }: Desk): View {
  const { state, clock } = ledger;
  return { state, live: beats.view(), clock, nowMs: clock.nowMs(), declared };
}

/** The rollout that a set of events begins; undefined where they begin none. */
export function rolloutCreatedBy(events: readonly EventBody[]): RolloutId | undefined {
  return events.find((event) => event.type === "rollout-created")?.rollout.id;
}
