import type { LedgerEvent } from "@siding/control-plane/ledger/event";
import type { EjectedReport, InstanceReport, ProbeReport } from "@siding/shared/report";

type Body = LedgerEvent["body"];
type Reported = Extract<Body, { type: "host-reported" }>;
type Issued = Extract<Body, { type: "command-issued" }>;

/** What the log has of one host: what it was told last, and what it said last. */
export class HostEvidence {
  report: InstanceReport | null = null;
  command: (Issued & { readonly sequence: number }) | null = null;
  /** When it was last told to drain. */
  drainIssued: (Issued & { readonly sequence: number }) | null = null;
  isKnown = false;

  issued(sequence: number, body: Issued): void {
    this.command = { ...body, sequence };
    if (body.body.kind === "drain") this.drainIssued = this.command;
  }

  reported(body: Reported): void {
    this.isKnown = true;
    const [report] = body.instances;
    if (report) this.report = report;
    else if (body.full) this.report = null;
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

/** What the log has of one edge; `ejected` as it was said last. */
export class EdgeEvidence {
  confirmed = 0;
  /** The event by which the log first knew that it serves what is wanted; null while the edge does not count. */
  countedSince: number | null = null;
  refused: { readonly revision: number; readonly message: string } | null = null;
  probes: readonly ProbeReport[] = [];
  ejected: readonly EjectedReport[] = [];

  /** `wanted` is the newest revision at that moment. */
  reported(sequence: number, wanted: number, body: Reported): void {
    for (const upstream of body.upstreams) {
      if (upstream.serving?.revision === wanted) this.countedSince ??= sequence;
      if (upstream.serving) this.confirmed = Math.max(this.confirmed, upstream.serving.revision);
      this.refused = upstream.refused;
      this.probes = upstream.probes;
      this.ejected = upstream.ejected;
    }
  }
}
