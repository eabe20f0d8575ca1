import type { LedgerEvent } from "./event.ts";
import {
  foldCommandIssued,
  foldCommandRefused,
  foldHold,
  foldHostReported,
  foldHostServing,
  foldInstanceObserved,
} from "./fold-host.ts";
import {
  foldBatchFinished,
  foldBatchStarted,
  foldHookEnded,
  foldHookStarted,
  foldHostFailed,
  foldHostSettled,
  foldIntentSet,
  foldPhaseChanged,
  foldRolloutCreated,
  foldRolloutFinished,
  foldRolloutPlanned,
  foldRolloutPromoted,
  foldRolloutStarted,
  foldStatusChanged,
} from "./fold-rollout.ts";
import {
  foldEdgeExcluded,
  foldEdgeIncluded,
  foldUpstreamObserved,
  foldUpstreamRevised,
} from "./fold-upstream.ts";
import { type LedgerState, releaseKey, type Touched } from "./state.ts";

/**
 * Applies one event to the state: the one way in which anything changes, live, at a rebuild and in the simulator.
 * Returns the records that were replaced. Pure but for the maps of `state`, which belong to it.
 */
export function fold(state: LedgerState, event: LedgerEvent): readonly Touched[] {
  state.sequence = event.sequence;
  state.elapsedMs = Math.max(state.elapsedMs, event.elapsedMs);
  if (isGoAhead(event.body)) state.behind = null;
  return foldBody(state, event);
}

/** What a person says to a rollout that is paused, besides resuming it. */
const personsCauses: ReadonlySet<string> = new Set(["aborted-by-person", "rolled-back-by-person"]);

/** A person goes on with a rollout, and so with the fleet as it is. */
function isGoAhead(body: LedgerEvent["body"]): boolean {
  if (body.type === "rollout-created") return body.rollout.origin === "person";
  if (body.type === "rollout-finished") return personsCauses.has(body.cause?.code ?? "");
  if (body.type !== "intent-set") return false;
  return body.intent === "forward" || personsCauses.has(body.cause?.code ?? "");
}

function foldBody(state: LedgerState, event: LedgerEvent): readonly Touched[] {
  const { body } = event;
  switch (body.type) {
    case "control-plane-started":
      state.epoch = body.epoch;
      state.controlPlaneId = body.controlPlaneId;
      return [];
    case "service-declared":
    case "artifact-registered":
    case "release-registered":
      return foldCatalogue(state, event, body);
    case "rollout-created":
      return foldRolloutCreated(state, event, body);
    case "rollout-started":
      return foldRolloutStarted(state, body.rollout);
    case "rollout-promoted":
      return foldRolloutPromoted(state, body.rolloutId);
    case "rollout-planned":
      return foldRolloutPlanned(state, event, body);
    case "batch-started":
      return foldBatchStarted(state, event, body);
    case "batch-finished":
      return foldBatchFinished(state, event, body);
    case "host-failed":
      return foldHostFailed(state, event, body);
    case "host-settled":
      return [...foldHostSettled(state, event, body), ...foldHostServing(state, body)];
    case "rollout-hook-started":
      return foldHookStarted(state, event, body);
    case "rollout-hook-ended":
      return foldHookEnded(state, event, body);
    case "phase-changed":
      return foldPhaseChanged(state, event, body);
    case "intent-set":
      return foldIntentSet(state, event, body);
    case "status-changed":
      return foldStatusChanged(state, body);
    case "rollout-finished":
      return foldRolloutFinished(state, event, body);
    case "upstream-revised":
      return foldUpstreamRevised(state, event, body);
    case "command-issued":
      return foldCommandIssued(state, event, body);
    case "host-reported":
      return foldHostReported(state, event, body);
    case "host-held":
    case "host-released":
      return foldHold(state, event, body);
    case "edge-excluded":
      return foldEdgeExcluded(state, event, body);
    case "edge-included":
      return foldEdgeIncluded(state, event, body.hostId);
    case "command-refused":
      return foldCommandRefused(state, event, body);
    case "fleet-ahead":
    case "fleet-resumed":
      return foldBehind(state, event, body);
    case "instance-observed":
      return foldInstanceObserved(state, body);
    case "upstream-observed":
      return foldUpstreamObserved(state, body);
  }
}

type OfBehind = Extract<LedgerEvent["body"], { type: "fleet-ahead" | "fleet-resumed" }>;

function foldBehind(state: LedgerState, event: LedgerEvent, body: OfBehind): readonly Touched[] {
  if (body.type === "fleet-resumed") {
    state.behind = null;
    return [];
  }
  const { hostId, epochSeen, revisionSeen, epoch } = body;
  state.epoch = epoch;
  state.restoredEpoch = epoch;
  state.behind = { hostId, epochSeen, revisionSeen, at: event.at };
  return [];
}

type Catalogue = Extract<
  LedgerEvent["body"],
  { type: "service-declared" | "artifact-registered" | "release-registered" }
>;

/** What people declare: services, artifacts, releases. */
function foldCatalogue(state: LedgerState, event: LedgerEvent, body: Catalogue): readonly Touched[] {
  switch (body.type) {
    case "service-declared": {
      const { spec, written, specRevision } = body;
      const {
        target = null,
        activeRollout = null,
        queuedRollout = null,
      } = state.services.get(spec.name) ?? {};
      state.services.set(spec.name, { spec, written, specRevision, target, activeRollout, queuedRollout });
      return [{ table: "services", key: spec.name }];
    }
    case "artifact-registered":
      state.artifacts.set(body.digest, { digest: body.digest, sizeBytes: body.sizeBytes });
      return [{ table: "artifacts", key: body.digest }];
    case "release-registered": {
      const { type: _, ...release } = body;
      const key = releaseKey(body.service, body.version);
      state.releases.set(key, { ...release, createdAt: event.at });
      return [{ table: "releases", key }];
    }
  }
}
