import type { ServiceName, Slot } from "@siding/shared/ids";
import type { StepFailure } from "@siding/shared/report";
import type { Result } from "@siding/shared/result";
import type { Release } from "@siding/shared/target";
import type { FoundRelease, StageFailure } from "../machine/event.ts";

/** The unpacked releases of this host, and the links of its slots. */
export interface Releases {
  /** What is unpacked. Clears away what a crash left half done. */
  found(): Promise<readonly FoundRelease[]>;
  /** Fetches, verifies and unpacks; at once where that is done. Aborted, it fails and leaves nothing behind. */
  stage(service: ServiceName, release: Release, signal: AbortSignal): Promise<Result<null, StageFailure>>;
  /** Points the slot at the release and returns the path of the link. Errors: `release-missing`. */
  link(service: ServiceName, slot: Slot, release: Release): Promise<Result<string, StepFailure>>;
  /** The path of the slot's link, wherever it points. */
  folderOf(service: ServiceName, slot: Slot): string;
  /** Deletes what is neither kept nor linked. */
  prune(service: ServiceName, keep: readonly Release[]): Promise<void>;
}
