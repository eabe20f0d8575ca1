import { Digest, HostId, Incarnation } from "@siding/shared/ids";
import { describe, expect, it } from "vitest";
import {
  type BeatRecord,
  hasConflict,
  isBlind,
  type LiveFleet,
  livenessOf,
  silentAtMs,
  withBeat,
} from "./live.ts";

const h1 = HostId.parse("h1");

function beatAt(lastBeatMs: number, incarnation = "a") {
  return {
    lastBeatMs,
    intervalMs: 10_000,
    incarnation: Incarnation.parse(incarnation),
    stateDigest: Digest.parse(`sha256:${"0".repeat(64)}`),
    load: { cpu: null, memory: null },
    lastSeenAt: "",
  };
}

function heard(...beats: readonly (readonly [atMs: number, incarnation: string])[]): LiveFleet {
  let record: BeatRecord | undefined;
  for (const [atMs, incarnation] of beats) record = withBeat(record, beatAt(atMs, incarnation));
  return { connectedSinceMs: 0, beats: new Map(record ? [[h1, record]] : []) };
}

describe("liveness", () => {
  it("is unknown until a beat or three intervals after our own connection", () => {
    expect(livenessOf(heard(), h1, 29_000).kind).toBe("unknown");
    expect(livenessOf(heard(), h1, 31_000)).toEqual({ kind: "silent", sinceMs: 0 });
    expect(livenessOf({ connectedSinceMs: null, beats: new Map() }, h1, 1e9).kind).toBe("unknown");
  });

  it("is silent after three intervals, and says when that will be", () => {
    const live = heard([5_000, "a"]);
    expect(livenessOf(live, h1, 35_000).kind).toBe("alive");
    expect(silentAtMs(live, h1, 6_000)).toBe(35_001);
    expect(livenessOf(live, h1, 35_001)).toEqual({ kind: "silent", sinceMs: 5_000 });
  });

  it("of before our newest connection does not count", () => {
    const live = { ...heard([5_000, "a"]), connectedSinceMs: 60_000 };
    expect(livenessOf(live, h1, 61_000).kind).toBe("unknown");
  });

  it("of over 30 % and at least three hosts gone together is our own blindness", () => {
    const ids = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"].map((id) => HostId.parse(id));
    const live = (alive: number): LiveFleet => ({
      connectedSinceMs: 0,
      beats: new Map(ids.slice(0, alive).map((id) => [id, withBeat(undefined, beatAt(100_000))])),
    });
    expect(isBlind(live(7), ids, 100_000)).toBe(false);
    expect(isBlind(live(6), ids, 100_000)).toBe(true);
    expect(isBlind(live(0), ids.slice(0, 2), 100_000)).toBe(false);
  });
});

describe("a cloned identity", () => {
  it("shows when two incarnations go on beating", () => {
    const live = heard([1, "a"], [2, "b"], [3, "a"], [4, "b"], [5, "a"]);
    expect(hasConflict(live, h1, 5)).toBe(true);
    expect(hasConflict(live, h1, 60_000)).toBe(false);
  });

  it("is not a restart, nor the late beat of an agent that ended", () => {
    expect(hasConflict(heard([1, "a"], [2, "b"], [3, "b"]), h1, 3)).toBe(false);
    expect(hasConflict(heard([1, "a"], [2, "b"], [3, "a"], [4, "b"], [5, "b"]), h1, 5)).toBe(false);
    expect(hasConflict(heard([1, "a"], [2, "b"], [3, "c"], [4, "d"]), h1, 4)).toBe(false);
  });
});
