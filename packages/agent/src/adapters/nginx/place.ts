import type { UpstreamContent } from "@siding/shared/command";
import type { EdgeResult } from "../../ports/edge.ts";
import type { UpstreamPlace } from "./layout.ts";
import { isAlive, type ProcessRef } from "./processes.ts";

/**
 * An nginx whose upstream files the agent writes: our own inner one, or the user's. What changes an upstream there is the
 * same for both.
 */
export interface Place {
  readonly master: ProcessRef;
  /** The generation of an upstream that some worker has read; null where none answers, or knows it. */
  servedGeneration(upstream: UpstreamPlace): Promise<number | null>;
  upstreamFile(upstream: UpstreamPlace): string;
  /** Its workers at this moment. */
  workers(): ProcessRef[];
  render(content: UpstreamContent, generation: number): string;
  /** Whether nginx accepts the files as they are, in its own words where it does not. */
  test(): Promise<EdgeResult<void>>;
  /** Whether nginx would accept this content, all else being as it is. */
  rehearse(content: UpstreamContent): Promise<EdgeResult<void>>;
  /** Waits until a reload costs clients no more than it must. */
  beforeReload(): Promise<void>;
  afterReload(): Promise<void>;
  /** True once an old worker can reach nobody any more whom the new list leaves out. */
  hasLetGo(worker: ProcessRef, sinceMs: number): boolean;
  /** Whether old workers may be told to finish by the agent itself: quicker than to wait for their master. */
  readonly retiresWorkers: boolean;
  /** Where nginx says what went wrong at a reload; null where that is not known. */
  readonly errorLog: string | null;
}

export function isRunning<P extends Pick<Place, "master">>(place: P | null): place is P {
  return place !== null && isAlive(place.master);
}
