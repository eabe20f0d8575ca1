import type { HostId } from "@siding/shared/ids";
import type { WaitingReason } from "@siding/shared/phases";
import { silenceDeadlineMs } from "./limits.ts";
import type { Position } from "./position.ts";
import type { Cause } from "./record.ts";
import {
  type ConflictView,
  countedEdges,
  type EdgeView,
  type HostView,
  isSetAside,
  type Snapshot,
} from "./snapshot.ts";

/** What a person has to know who looks for the cloned one. The same text whichever of the two beat last. */
export function conflictText(hostId: HostId, { agents }: ConflictView): string {
  const places = [...new Set(agents.flatMap(({ address }) => address ?? []))].sort();
  const from =
    places.length === 0 ? "" : `, from ${places.join(" and ")}${places.length === 1 ? " both" : ""}`;
  const names = agents.map(({ incarnation }) => incarnation).join(" and ");
  return `two agents beat as ${hostId}${from} (incarnations ${names}): stop the cloned one, or give it an id of its own; nothing is sent to ${hostId} until then`;
}

/** Everybody of this service whose id is claimed twice, but those whom no list names and a person holds out. */
export function conflictsIn(snapshot: Snapshot): readonly (HostView | EdgeView)[] {
  const hosts = doubled(snapshot.hosts).filter((host) => !isSetAside(snapshot, host));
  return [...hosts, ...countedEdges(snapshot).filter(({ conflict }) => conflict !== null)];
}

const known = new WeakMap<Snapshot["hosts"], Snapshot["hosts"]>();

/** Asked by every decision of the whole fleet. */
function doubled(hosts: Snapshot["hosts"]): Snapshot["hosts"] {
  const found = known.get(hosts) ?? hosts.filter(({ conflict }) => conflict !== null);
  known.set(hosts, found);
  return found;
}

/** Why nothing is done to it, and until when a rollout waits; null where nobody else claims its id. */
export function conflictReason(
  { hostId, conflict }: HostView | EdgeView,
  resumedAtMs: number,
): (WaitingReason & Cause & { readonly untilMs: number }) | null {
  if (conflict === null) return null;
  const message = conflictText(hostId, conflict);
  return { code: "identity-conflict", message, hostId, untilMs: conflictDueMs(conflict, resumedAtMs) };
}

/** How long a rollout waits for somebody to stop the cloned one. Who resumes it gets that time anew. */
export function conflictDueMs({ sinceMs }: ConflictView, fromMs: number): number {
  return Math.max(sinceMs, fromMs) + silenceDeadlineMs;
}

/**
 * Nothing is sent to a cloned host, and it neither leaves nor joins: from some places it goes nowhere by itself. Null where it
 * can go on, or nobody else claims its id.
 */
export function holdingConflict(host: HostView | undefined, position: Position): ConflictView | null {
  switch (position.kind) {
    case "idle":
    case "listed":
    case "out":
    case "draining":
    case "drained":
    case "updating":
    case "started":
    case "verifying":
    case "ready":
      return host?.conflict ?? null;
    case "leaving":
    case "probing":
    case "joining":
    case "serving":
    case "broken":
    case "stranded":
    case "settled":
      return null;
  }
}
