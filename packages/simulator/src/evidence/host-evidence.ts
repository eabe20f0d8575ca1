import type { LedgerEvent } from "@siding/control-plane/ledger/event";
import type { HostId, ServiceName } from "@siding/shared/ids";
import type { EjectedReport, InstanceReport, ProbeReport, UpstreamReport } from "@siding/shared/report";

type Body = LedgerEvent["body"];
export type Reported = Extract<Body, { type: "host-reported" }>;
export type Issued = Extract<Body, { type: "command-issued" }>;

/** What the log has of one host. */
export class HostEvidence {
  isKnown = false;
  /** A person holds it out of traffic, or out of the fleet. */
  hold: "drained" | "removed" | null = null;
  address: string | null = null;
  readonly #instances = new Map<ServiceName, InstanceEvidence>();

  of(service: ServiceName): InstanceEvidence {
    const known = this.#instances.get(service) ?? new InstanceEvidence();
    this.#instances.set(service, known);
    return known;
  }

  reported(body: Reported): void {
    this.isKnown = true;
    this.address = body.facts.address;
    for (const report of body.instances) this.of(report.service).report = report;
    if (!body.full) return;
    for (const [service, instance] of this.#instances) {
      if (!body.instances.some((report) => report.service === service)) instance.report = null;
    }
  }
}

/** What the log has of one service on one host: what it was told last, and what it said last. */
export class InstanceEvidence {
  report: InstanceReport | null = null;
  command: (Issued & { readonly sequence: number }) | null = null;
  /** When it was last told to drain. */
  drainIssued: (Issued & { readonly sequence: number }) | null = null;

  issued(sequence: number, body: Issued): void {
    this.command = { ...body, sequence };
    if (body.body.kind === "drain") this.drainIssued = this.command;
  }

  /** It said that the target runs, and did not say that it is ill. */
  isSaidToServe(targetId: string): boolean {
    return this.report?.running === targetId && this.report.health !== "bad";
  }

  /** The newest command has an end. */
  isIdle(): boolean {
    if (!this.command) return true;
    const progress = this.report?.command;
    return progress?.commandId === `c${this.command.sequence}` && progress.status !== "running";
  }
}

/** What the log has of one upstream on one edge; `ejected` as it was said last. */
export class EdgeEvidence {
  readonly edgeId: HostId;
  confirmed = 0;
  /** The event by which the log first knew that it serves what is wanted; null while the edge does not count. */
  countedSince: number | null = null;
  isExcluded = false;
  refused: { readonly revision: number; readonly message: string } | null = null;
  probes: readonly ProbeReport[] = [];
  ejected: readonly EjectedReport[] = [];

  constructor(edgeId: HostId) {
    this.edgeId = edgeId;
  }

  /** `wanted` is the newest revision at that moment; null where that means nothing. */
  reported(sequence: number, wanted: number | null, upstream: UpstreamReport): void {
    if (upstream.serving?.revision === wanted && !this.isExcluded) this.countedSince ??= sequence;
    if (upstream.serving) this.confirmed = Math.max(this.confirmed, upstream.serving.revision);
    this.refused = upstream.refused;
    this.probes = upstream.probes;
    this.ejected = upstream.ejected;
  }

  exclude(): void {
    this.isExcluded = true;
    this.countedSince = null;
  }

  /** It counts at once for what it serves as it is wanted now. */
  include(sequence: number, wanted: number | null): void {
    if (!this.isExcluded) return;
    this.isExcluded = false;
    if (this.confirmed === wanted) this.countedSince = sequence;
  }
}
