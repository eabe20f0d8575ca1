import { HostId } from "@siding/shared/ids";
import { AmountInput } from "@siding/shared/units";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { scene } from "../scene/scene.ts";
import { batchSizeOf, judgeRevision, maxFailuresOf, minServingOf } from "./capacity.ts";
import { check } from "./check.ts";
import type { RolloutRecord } from "./record.ts";
import type { Snapshot } from "./snapshot.ts";

const amount = (written: string | number) => AmountInput.parse(written);

describe("the arithmetic of design section 3", () => {
  it.each([
    ["50%", 4, 2],
    ["50%", 5, 3],
    ["75%", 4, 3],
    ["75%", 3, 2], // 2.25 rounds up to 3, which would leave nobody to move
    ["99%", 10, 9],
    ["99%", 2, 1],
    ["99%", 1, 0],
    ["100%", 4, 4],
    ["0%", 4, 0],
    ["28%", 25, 7], // 7.000000000000001 in binary fractions
    ["33.3%", 3, 1],
    ["33.4%", 3, 2],
    [3, 4, 3],
    [4, 4, 4],
    [9, 4, 9],
    ["50%", 0, 0],
  ])("minServing %s of %i asks for %i", (written, base, expected) => {
    expect(minServingOf(amount(written), base)).toBe(expected);
  });

  it.each([
    ["25%", 4, 1],
    ["25%", 7, 1],
    ["25%", 8, 2],
    ["1%", 8, 1],
    ["100%", 8, 8],
    ["28%", 25, 7],
    [3, 2, 3],
    [0, 8, 1],
  ])("a batch of %s of %i takes %i", (written, base, expected) => {
    expect(batchSizeOf(amount(written), base)).toBe(expected);
  });

  it.each([
    ["10%", 9, 0],
    ["10%", 10, 1],
    [0, 10, 0],
    [2, 10, 2],
  ])("maxFailures %s of %i allows %i", (written, base, expected) => {
    expect(maxFailuresOf(amount(written), base)).toBe(expected);
  });

  it("never lets rounding take more than was meant", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 1, max: 500 }), (percent, base) => {
        const least = minServingOf({ kind: "percent", percent }, base);
        const meant = (percent * base) / 100;
        expect(least).toBeGreaterThanOrEqual(percent < 100 ? Math.min(meant, base - 1) : base);
        expect(least).toBeLessThan(meant + 1);
        expect(batchSizeOf({ kind: "percent", percent }, base)).toBeLessThanOrEqual(Math.max(1, meant));
      }),
    );
  });
});

describe("a revision", () => {
  it("may not take the last good one, whatever the minimum", () => {
    const stage = scene({ hosts: 2, spec: { capacity: { minServing: 0 } } });
    const members = stage.snapshot.upstream.content.members;
    expect(judgeRevision(stage.snapshot, members.slice(1)).kind).toBe("fits");
    expect(judgeRevision(stage.snapshot, []).kind).toBe("short");
  });

  it("that removes nothing that serves is always allowed", () => {
    const stage = scene({ hosts: 2, spec: { capacity: { minServing: 2 } } });
    const snapshot = {
      ...stage.snapshot,
      hosts: stage.snapshot.hosts.map((host) => ({
        ...host,
        instance: { ...host.instance, health: "bad" as const },
      })),
    };
    expect(judgeRevision(snapshot, []).kind).toBe("fits");
  });

  describe("with members that an edge has ejected", () => {
    let rollout: RolloutRecord;
    const ejecting = (who: Readonly<Record<string, readonly string[]>>) => {
      const stage = scene({ hosts: 4, edges: 2, spec: { capacity: { minServing: 2 } } });
      const { snapshot } = stage;
      rollout = stage.rollout();
      const edges = snapshot.edges.map((edge) => ({
        ...edge,
        ejected: (who[edge.hostId] ?? []).map((hostId) => ({
          hostId: HostId.parse(hostId),
          slot: "blue" as const,
          detail: "timeout",
        })),
      }));
      return { ...snapshot, edges };
    };
    const without = (snapshot: Snapshot, ...hostIds: string[]) =>
      snapshot.upstream.content.members.filter(({ hostId }) => !hostIds.includes(hostId));
    const judgedBoth = (snapshot: Snapshot, ...hostIds: string[]) => {
      const members = without(snapshot, ...hostIds);
      const content = { ...snapshot.upstream.content, members };
      const revised = { type: "upstream-revised", service: snapshot.service, content } as const;
      const rule1 = check(rollout, snapshot, [revised]).filter(({ rule }) => rule === 1);
      return { core: judgeRevision(snapshot, members).kind, checker: rule1.length === 0 ? "fits" : "short" };
    };

    it.each([
      ["counts them out on that edge", { e2: ["h1", "h2"] }, ["h3"], "short"],
      ["counts each edge by itself", { e1: ["h1"], e2: ["h2"] }, ["h3"], "fits"],
      [
        "costs nothing where it takes who is ejected everywhere",
        { e1: ["h1", "h2"], e2: ["h1", "h2"] },
        ["h1"],
        "fits",
      ],
      ["costs what another edge still routes to", { e1: ["h1", "h2"], e2: ["h3"] }, ["h1"], "fits"],
      ["never takes the last good one of an edge", { e1: ["h1", "h2", "h3"] }, ["h4"], "short"],
    ] as const)("%s", (_, who, leaving, verdict) => {
      const judged = judgedBoth(ejecting(who), ...leaving);
      expect(judged).toEqual({ core: verdict, checker: verdict });
    });
  });
});
