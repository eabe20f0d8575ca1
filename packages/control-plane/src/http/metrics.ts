import { RolloutStatus } from "@siding/shared/phases";
import { Liveness } from "@siding/shared/rest";
import { collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { edgesOf } from "../fleet/snapshot.ts";
import type { UpstreamRecord } from "../ledger/state.ts";
import type { Ledger } from "../ledger/store.ts";
import type { Catalogue } from "../orchestrator/catalogue.ts";
import { edgeDocuments, fleetSummary } from "../orchestrator/document-fleet.ts";
import type { View } from "../orchestrator/document-view.ts";

/** From a commit on a good disk to one that makes everything wait. */
const durationBucketsSeconds = [
  0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10,
];

/** What a scrape looks at. */
export interface Watched {
  readonly ledger: Ledger;
  readonly catalogue: Catalogue;
  readonly downloads: { readonly taken: number };
  readonly view: () => View;
  readonly troubles: () => readonly { readonly what: string }[];
}

type Counts = readonly (readonly [labels: Record<string, string>, value: number])[];

/**
 * What Prometheus reads. Labels are what there are few of by nature: states, services, edges, routes; never a host of
 * the fleet, a rollout or a path as it was asked for.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #commits = this.#histogram("siding_ledger_commit_duration_seconds", "Writing one commit for good");
  readonly #rounds = this.#histogram(
    "siding_loop_round_duration_seconds",
    "One round: decide, commit, publish",
  );
  readonly #requests = this.#histogram(
    "siding_http_request_duration_seconds",
    "From a request to its answer's head, by route",
    ["method", "route", "status"],
  );

  constructor(version: string) {
    collectDefaultMetrics({ register: this.#registry });
    this.#gauge("siding_build_info", "1; the version is in the label", ["version"], () => [[{ version }, 1]]);
  }

  committed(durationMs: number): void {
    this.#commits.observe({}, durationMs / 1_000);
  }

  rounded(durationMs: number): void {
    this.#rounds.observe({}, durationMs / 1_000);
  }

  answered(method: string, route: string, status: number, durationMs: number): void {
    this.#requests.observe({ method, route, status: String(status) }, durationMs / 1_000);
  }

  /** Adds what is read off the fleet and the ledger whenever somebody scrapes. */
  watch(watched: Watched): void {
    this.#watchFleet(watched);
    this.#watchLedger(watched);
    this.#gauge("siding_artifact_downloads", "Artifacts that are being sent", [], () => [
      [{}, watched.downloads.taken],
    ]);
    const isSound = (what: string) => Number(watched.troubles().every((trouble) => trouble.what !== what));
    this.#gauge("siding_nats_connected", "1 while connected to NATS", [], () => [[{}, isSound("nats")]]);
    this.#gauge("siding_ledger_writable", "1 while commits can be written", [], () => [
      [{}, isSound("ledger")],
    ]);
  }

  get mediaType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #watchFleet({ catalogue, ledger, view }: Watched): void {
    const documents = () => catalogue.entries(view()).map(({ document }) => document);
    this.#gauge("siding_hosts", "Hosts by liveness of their agents", ["liveness"], () => {
      const { summary } = fleetSummary(view(), documents());
      return Liveness.options.map((liveness) => [{ liveness }, summary[liveness]]);
    });
    this.#gauge("siding_identity_conflicts", "Host ids that two agents claim", [], () => [
      [{}, documents().filter(({ conflict }) => conflict !== null).length],
    ]);
    this.#gauge("siding_instances", "Instances by service and state", ["service", "state"], () =>
      counted(
        documents().flatMap(({ instances }) => instances.map(({ service, state }) => ({ service, state }))),
      ),
    );
    this.#gauge("siding_rollouts", "Rollouts by status", ["status"], () => {
      const statuses = [...ledger.state.rollouts.values()].map(({ status }) => status);
      return RolloutStatus.options.map((status) => [
        { status },
        statuses.filter((each) => each === status).length,
      ]);
    });
    this.#gauge(
      "siding_edge_reloads_total",
      "Reloads since the edge's agent first started",
      ["edge", "upstream"],
      () =>
        edgeDocuments(view()).flatMap(({ id, upstreams }) =>
          upstreams.map(({ upstream, reloads }) => [{ edge: id, upstream }, reloads] as const),
        ),
    );
    this.#gauge(
      "siding_edge_lag_seconds",
      "How long an edge has owed the newest revision; 0: it serves it",
      ["edge", "upstream"],
      () => edgeLags(view()),
    );
  }

  #watchLedger({ ledger }: Watched): void {
    this.#gauge("siding_ledger_sequence", "Events in the log", [], () => [[{}, ledger.state.sequence]]);
    this.#gauge("siding_ledger_epoch", "Starts of the control plane", [], () => [[{}, ledger.state.epoch]]);
    this.#gauge("siding_ledger_behind", "1: older than its fleet, waits for a person", [], () => [
      [{}, ledger.state.behind === null ? 0 : 1],
    ]);
    this.#gauge("siding_ledger_bytes", "Size of the ledger's pages", [], () => [[{}, ledger.sizeBytes()]]);
  }

  #histogram(name: string, help: string, labelNames: string[] = []): Histogram {
    return new Histogram({
      name,
      help,
      labelNames,
      buckets: durationBucketsSeconds,
      registers: [this.#registry],
    });
  }

  #gauge(name: string, help: string, labelNames: string[], read: () => Counts): void {
    new Gauge({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [labels, value] of read()) this.set(labels, value);
      },
    });
  }
}

function counted(labels: readonly Record<string, string>[]): Counts {
  const counts = new Map<string, [Record<string, string>, number]>();
  for (const each of labels) {
    const key = JSON.stringify(each);
    counts.set(key, [each, (counts.get(key)?.[1] ?? 0) + 1]);
  }
  return [...counts.values()];
}

function edgeLags({ state, nowMs }: View): Counts {
  return [...state.services.values()].flatMap(({ spec }) => {
    const wanted = state.upstreams.get(spec.edge.upstream);
    if (!wanted) return [];
    return edgesOf(state, spec).map((edge) => {
      const serving = edge.upstreams[spec.edge.upstream]?.serving?.revision ?? 0;
      return [
        { edge: edge.hostId, upstream: spec.edge.upstream },
        lagSeconds(wanted, serving, nowMs),
      ] as const;
    });
  });
}

function lagSeconds({ revision, revisedAtMs }: UpstreamRecord, serving: number, nowMs: number): number {
  return serving >= revision ? 0 : Math.max(0, nowMs - revisedAtMs) / 1_000;
}
