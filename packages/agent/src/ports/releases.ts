import type { ServiceName, Slot } from "@siding/shared/ids";
import type { StepFailure } from "@siding/shared/report";
import type { Result } from "@siding/shared/result";
import type { Release } from "@siding/shared/target";
import type { FoundRelease, StageFailure } from "../machine/event.ts";

/** The unpacked releases of this host, and the links of its slots. */
export interface Releases {
  /** What is unpacked. */
  found(): Promise<readonly FoundRelease[]>;
  /**
   * Fetches, verifies and unpacks; at once where that is done. What broke off or was aborted goes on where it was the
   * next time, also after a restart; failed for good, it leaves nothing behind.
   */
  stage(service: ServiceName, release: Release, signal: AbortSignal): Promise<Result<null, StageFailure>>;
  /** Points the slot at the release and returns the path of the link. Errors: `release-missing`, `disk-full`, `folder-*`. */
  link(service: ServiceName, slot: Slot, release: Release): Promise<Result<string, StepFailure>>;
  /** The release's own folder, whatever its slots point at. Errors: `release-missing`. */
  unpackedIn(service: ServiceName, release: Release): Promise<Result<string, StepFailure>>;
  /** The path of the slot's link, wherever it points. */
  folderOf(service: ServiceName, slot: Slot): string;
  /** Deletes what is neither kept nor linked, and downloads that nobody goes on with. */
  prune(service: ServiceName, keep: readonly Release[]): Promise<void>;
}
