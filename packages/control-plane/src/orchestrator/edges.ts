import type { HostId } from "@siding/shared/ids";
import { err, ok, type Result } from "@siding/shared/result";
import type { EventBody } from "../ledger/event.ts";
import type { LedgerState } from "../ledger/state.ts";
import type { Refusal } from "./refusal.ts";

/**
 * Excluding an edge is a person's word alone: it may still route to hosts that are then stopped. Said twice is said
 * once.
 */
export function excludeEdge(
  state: LedgerState,
  hostId: HostId,
  comment: string | null,
): Result<readonly EventBody[], Refusal> {
  const edge = edgeOf(state, hostId);
  if (!edge.ok) return edge;
  return ok(edge.value.excluded ? [] : [{ type: "edge-excluded", hostId, comment }]);
}

/** It counts again when it serves what is wanted now. */
export function includeEdge(state: LedgerState, hostId: HostId): Result<readonly EventBody[], Refusal> {
  const edge = edgeOf(state, hostId);
  if (!edge.ok) return edge;
  return ok(edge.value.excluded ? [{ type: "edge-included", hostId }] : []);
}

function edgeOf(state: LedgerState, hostId: HostId) {
  const host = state.hosts.get(hostId);
  if (host?.facts?.roles.includes("edge")) return ok(host);
  return err({ code: "unknown-edge" as const, message: `there is no edge '${hostId}'` });
}
