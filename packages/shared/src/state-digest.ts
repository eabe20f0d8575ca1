import { contentDigest } from "./digest.ts";
import type { Digest } from "./ids.ts";
import type { CommandProgress, InstanceReport, StepFailure, UpstreamReport } from "./report.ts";

/**
 * The digest of an agent's state that its beats carry. The control plane computes the same from the newest reports it
 * has, and asks for everything where they differ. Left out is what changes without being reported at once (the
 * counts of a drain) and what is kept elsewhere (captured output).
 */
export function stateDigest(
  instances: Iterable<InstanceReport>,
  upstreams: Iterable<UpstreamReport>,
): Digest {
  return contentDigest({
    instances: byKey([...instances].map(essence), (each) => `${each.service}/${each.slot}`),
    upstreams: byKey([...upstreams], (each) => each.upstream),
  });
}

function essence(report: InstanceReport) {
  return { ...report, command: report.command && progress(report.command), trouble: quiet(report.trouble) };
}

function progress({ inFlight: _, failure, ...rest }: CommandProgress) {
  return { ...rest, failure: quiet(failure) };
}

function quiet(failure: StepFailure | null | undefined) {
  return failure ? { code: failure.code, message: failure.message } : null;
}

function byKey<T>(items: T[], keyOf: (item: T) => string): T[] {
  return items.toSorted((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1));
}
