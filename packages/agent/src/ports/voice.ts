import type { Beat, LoadSample, Report } from "@siding/shared/report";

/** Says things to the control plane; what can't be said now is lost, and said again by the next full report. */
export interface Voice {
  report(report: Report): void;
  beat(beat: Beat): void;
}

/** How busy this machine is. */
export type SampleLoad = () => LoadSample;
