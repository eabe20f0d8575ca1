import type { LiveFleet } from "@siding/control-plane/fleet/live";
import { RecordMap } from "@siding/control-plane/ledger/record-map";
import type { LedgerState } from "@siding/control-plane/ledger/state";
import { emptySentLog, outbox } from "@siding/control-plane/messaging/outbox";
import { decideAll } from "@siding/control-plane/orchestrator/decide";
import { describe, expect, it } from "vitest";
import { type Brain, productionBrain } from "./plane/brain.ts";
import { run } from "./run.ts";
import { scenarioFor } from "./simulate.ts";

/** Of so many decisions one is made twice: each copies everything that is known. */
const every = 3;

/** The same content in other objects: nothing that was worked out of the old ones is known of these. */
function forgetful<T>(known: T): T {
  return structuredClone(known);
}

function records<K, V>(known: ReadonlyMap<K, V>): RecordMap<K, V> {
  const map = new RecordMap<K, V>();
  for (const [key, record] of known) map.set(key, forgetful(record));
  return map;
}

function stateAnew({ hosts, ...others }: LedgerState): LedgerState {
  return { ...forgetful(others), hosts: records(hosts) };
}

function fleetAnew({ beats, connectedSinceMs }: LiveFleet): LiveFleet {
  return { beats: records(beats), connectedSinceMs };
}

/** Production's, and at each so many decisions somebody who has just come decides the same. */
function doubted(): { readonly brain: Brain; readonly doubts: () => number } {
  let asked = 0;
  let doubts = 0;
  const twice: Brain["decideAll"] = (state, live, nowMs, core) => {
    const decided = decideAll(state, live, nowMs, core);
    asked += 1;
    if (asked % every > 0) return decided;
    doubts += 1;
    const [fresh, heard] = [stateAnew(state), fleetAnew(live)];
    const again = decideAll(fresh, heard, nowMs, core);
    expect(again.events).toEqual(decided.events);
    // Who remembers may look once more than is necessary, and never too late.
    expect(decided.wakeAtMs ?? Number.POSITIVE_INFINITY).toBeLessThanOrEqual(
      again.wakeAtMs ?? Number.POSITIVE_INFINITY,
    );
    const { epoch, controlPlaneId } = state;
    if (controlPlaneId === null) return decided;
    const said = (known: LedgerState, fleet: LiveFleet) =>
      outbox(known, fleet, { epoch, controlPlaneId }, emptySentLog(), nowMs);
    expect(said(fresh, heard)).toEqual(said(state, live));
    return decided;
  };
  return { brain: { ...productionBrain, decideAll: twice }, doubts: () => doubts };
}

describe("what is remembered from one decision to the next", () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    "changes no decision and nothing that is said (seed %i)",
    { timeout: 300_000 },
    (seed) => {
      const { brain, doubts } = doubted();
      const usual = { hosts: null, checker: true, crashEveryEvent: false };
      expect(run(scenarioFor(seed, usual), { brain, checker: true }).verdict).toBeNull();
      expect(doubts()).toBeGreaterThan(10);
    },
  );
});
