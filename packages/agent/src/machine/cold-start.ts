import type { UpstreamName } from "@siding/shared/ids";
import { formatMs } from "@siding/shared/units";
import type { ListToServe } from "./effect.ts";
import { judge } from "./ejection.ts";
import type { EdgeCondition, Upstream } from "./state.ts";

/**
 * Design section 5: a restarted edge applies the current revision before its nginx starts. A control plane that is there
 * says it in well under a second. For one that is away nobody is kept waiting longer than it takes this edge's own probes
 * to find who is dead (three bad answers, a second apart): those are left out of the last list then.
 */
export const currentWithinMs = 5_000;

/** What is said of every upstream meanwhile. */
export const coldMessage = `no nginx runs on this edge, so it serves nobody: it asks the control plane for the current list first, for at most ${formatMs(currentWithinMs)}, and then serves the last one that it knows`;

/** What a person shall know where the control plane said nothing. */
export const unheardMessage = `the control plane did not say within ${formatMs(currentWithinMs)} what is current, so this edge serves the last lists that it knows, less whom its own probes find dead: they may name hosts that were stopped or moved since. Check NATS and the control plane; the current lists are served as soon as they are heard`;

/** Whether an nginx is to be started now: all is heard, or enough was waited. */
export function hasWaited(
  { untilMs }: Extract<EdgeCondition, { kind: "cold" }>,
  upstreams: ReadonlyMap<UpstreamName, Upstream>,
  nowMs: number,
): boolean {
  return nowMs >= untilMs || unheard(upstreams).length === 0;
}

/** The upstreams that the control plane has not spoken of: their lists may name hosts that were stopped since. */
export function unheard(upstreams: ReadonlyMap<UpstreamName, Upstream>): readonly UpstreamName[] {
  return [...upstreams].flatMap(([name, { heard }]) => (heard ? [] : [name]));
}

/** The newest accepted revisions, less whom this edge's own probes find dead. */
export function newestLists(upstreams: ReadonlyMap<UpstreamName, Upstream>): readonly ListToServe[] {
  return [...upstreams.values()].map(({ journal: { content, revision }, listed }) => ({
    content,
    revision,
    ejected: judge(listed).ejected,
  }));
}
