import { describe, expect, it } from "vitest";
import regressions from "../regressions.json" with { type: "json" };
import { run } from "./run.ts";
import { type Failing, failureOf, outcomesOf, type SeedOptions, scenarioFor } from "./simulate.ts";
import { DigestedTrace } from "./trace.ts";

const usual: SeedOptions = { hosts: null, checker: true, crashEveryEvent: false };

/** What a person needs to see it again. */
function told(failing: Failing | null): string | null {
  if (!failing) return null;
  const { seed, kill, outcome } = failing;
  const verdict = outcome.verdict;
  return `seed ${seed}${kill ? ` killed ${kill}` : ""}: ${verdict?.judge} (${verdict?.rule}) at ${verdict?.atMs} ms: ${verdict?.message}`;
}

function digestOf(seed: number): string {
  const trace = new DigestedTrace();
  run(scenarioFor(seed, usual), { checker: true, trace });
  return trace.digest();
}

describe("the simulator", () => {
  it("finds nothing wrong in 200 fleets of 4 to 20 hosts, whatever happens to them", {
    timeout: 240_000,
  }, () => {
    const endings = new Set<string>();
    for (let seed = 1; seed <= 200; seed += 1) {
      for (const { outcome, kill } of outcomesOf(seed, usual)) {
        expect(told(outcome.verdict ? { seed, outcome, kill } : null)).toBeNull();
        for (const ending of outcome.endings) endings.add(ending);
      }
    }
    // Fleets to which nothing happens would prove nothing.
    expect([...endings]).toEqual(expect.arrayContaining(["succeeded", "rolled-back", "failed", "aborted"]));
  });

  it("tells the same story for the same seed, and another for another", () => {
    const seeds = [3, 9, 11];
    const first = seeds.map(digestOf);
    expect(seeds.map(digestOf)).toEqual(first);
    expect(new Set(first).size).toBe(seeds.length);
  });
});

describe("the control plane killed around every commit", () => {
  const rolling = { seed: 35, hosts: 4 };
  const inPlace = { seed: 31, hosts: 4 };
  for (const { seed, hosts } of [rolling, inPlace]) {
    it(`goes on as if nothing had been (seed ${seed}, ${hosts} hosts)`, { timeout: 240_000 }, () => {
      const options: SeedOptions = { hosts, checker: true, crashEveryEvent: true };
      // A scenario in which nothing moves would prove nothing.
      expect(run(scenarioFor(seed, options), { checker: true }).endings).toEqual(["succeeded", "succeeded"]);
      expect(told(failureOf(seed, options))).toBeNull();
    });
  }
});

describe("what once went wrong", () => {
  for (const { seed, hosts, checker, showed } of regressions) {
    it(`does not again: ${showed} (seed ${seed})`, () => {
      expect(told(failureOf(seed, { hosts, checker, crashEveryEvent: false }))).toBeNull();
    });
  }
});
