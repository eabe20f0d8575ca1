import { type Address, Digest, HostId, Incarnation } from "@siding/shared/ids";
import { describe, expect, it } from "vitest";
import {
  type BeatRecord,
  conflictOf,
  hasConflict,
  hearingOf,
  type LiveFleet,
  livenessOf,
  silentAtMs,
  soleFromMs,
  withBeat,
} from "./live.ts";

const h1 = HostId.parse("h1");

function beatAt(lastBeatMs: number, incarnation = "a") {
  return {
    lastBeatMs,
    intervalMs: 10_000,
    incarnation: Incarnation.parse(incarnation),
    address: `10.0.0.${incarnation.charCodeAt(0)}` as Address,
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
    expect(livenessOf(heard(), h1, 31_000)).toMatchObject({ kind: "silent", heardMs: 0 });
    expect(livenessOf({ connectedSinceMs: null, beats: new Map() }, h1, 1e9).kind).toBe("unknown");
  });

  it("is silent after three intervals, and says when that will be", () => {
    const live = heard([5_000, "a"]);
    expect(livenessOf(live, h1, 35_000).kind).toBe("alive");
    expect(silentAtMs(live, h1, 6_000)).toBe(35_001);
    expect(livenessOf(live, h1, 35_001)).toMatchObject({ kind: "silent", heardMs: 5_000, givenUpMs: 45_000 });
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
    expect(hearingOf(live(7), ids, 100_000).blind).toBeNull();
    expect(hearingOf(live(6), ids, 100_000).blind).toBe("crowd-silent");
    expect(hearingOf(live(0), ids.slice(0, 2), 100_000).blind).toBeNull();
    expect(hearingOf({ ...live(7), connectedSinceMs: null }, ids, 100_000).blind).toBe("disconnected");
  });

  it("lasts until those who were cut off together had the time to beat again; deadlines run anew from then", () => {
    const ids = ["a", "b", "c", "d"].map((id) => HostId.parse(id));
    const beatsOf = (...returnsMs: readonly (number | null)[]): LiveFleet => {
      const before = withBeat(undefined, beatAt(5_000));
      const beats = ids.map((id, index) => {
        const atMs = returnsMs[index] ?? null;
        return [id, atMs === null ? before : withBeat(before, beatAt(atMs))] as const;
      });
      return { connectedSinceMs: 0, beats: new Map(beats) };
    };
    expect(hearingOf(beatsOf(90_000, null, null, null), ids, 90_000).blind).toBe("crowd-silent");
    const back = beatsOf(90_000, 96_000, 99_000, null);
    expect(hearingOf(back, ids, 99_000)).toEqual({
      blind: "crowd-silent",
      sinceMs: 99_000,
      untilMs: 100_001,
    });
    expect(hearingOf(back, ids, 106_001)).toEqual({ blind: null, sinceMs: 99_000, untilMs: null });
    expect(hearingOf({ ...back, connectedSinceMs: 80_000 }, ids, 99_000)).toMatchObject({
      blind: null,
      sinceMs: 80_000,
    });
  });

  it("is not the return of one that was away by itself", () => {
    const ids = ["a", "b", "c", "d"].map((id) => HostId.parse(id));
    const beats = ids.map((id, index) => {
      const before = withBeat(undefined, beatAt(index === 0 ? 5_000 : 80_000));
      return [id, withBeat(before, beatAt(90_000))] as const;
    });
    const hearing = hearingOf({ connectedSinceMs: 0, beats: new Map(beats) }, ids, 90_000);
    expect(hearing).toEqual({ blind: null, sinceMs: 0, untilMs: null });
  });
});

describe("a cloned identity", () => {
  it("shows when two incarnations go on beating", () => {
    const live = heard([1, "a"], [2, "b"], [3, "a"], [4, "b"], [5, "a"]);
    expect(hasConflict(live, h1, 5)).toBe(true);
    expect(hasConflict(live, h1, 60_000)).toBe(false);
  });

  it("is named by both, in the same words whoever of them beat last", () => {
    const live = heard([1, "a"], [2, "b"], [3, "a"], [4, "b"], [5, "a"]);
    const both = [
      { incarnation: "a", address: "10.0.0.97" },
      { incarnation: "b", address: "10.0.0.98" },
    ];
    expect(conflictOf(live, h1, 5)).toEqual({ sinceMs: 3, agents: both });
    const later = heard([1, "a"], [2, "b"], [3, "a"], [4, "b"], [5, "a"], [6, "b"]);
    expect(conflictOf(later, h1, 6)).toEqual({ sinceMs: 3, agents: both });
    expect(conflictOf(live, h1, 60_000)).toBeNull();
  });

  it("can show until a new agent was alone for two beats, though its first are the only ones heard", () => {
    expect(soleFromMs(heard(), h1)).toBe(0);
    expect(soleFromMs(heard([1_000, "a"], [5_000, "a"]), h1)).toBe(21_000);
    expect(soleFromMs(heard([1_000, "a"], [5_000, "b"], [9_000, "b"]), h1)).toBe(25_000);
    expect(soleFromMs(heard([1_000, "a"], [5_000, "b"], [11_000, "a"]), h1)).toBe(31_000);
  });

  it("is not a restart, nor the late beat of an agent that ended", () => {
    expect(hasConflict(heard([1, "a"], [2, "b"], [3, "b"]), h1, 3)).toBe(false);
    expect(hasConflict(heard([1, "a"], [2, "b"], [3, "a"], [4, "b"], [5, "b"]), h1, 5)).toBe(false);
    expect(hasConflict(heard([1, "a"], [2, "b"], [3, "c"], [4, "d"]), h1, 4)).toBe(false);
  });
});
