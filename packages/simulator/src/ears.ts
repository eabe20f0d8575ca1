import type { Beat, Report } from "@siding/shared/report";

/** What the control plane hears, as soon as it arrives there. */
export interface Ears {
  report(report: Report): void;
  beat(beat: Beat): void;
}
