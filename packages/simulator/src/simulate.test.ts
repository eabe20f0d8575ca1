import { describe, expect, it } from "vitest";
import regressions from "../regressions.json" with { type: "json" };
import { run } from "./run.ts";
import { failureOf, outcomesOf, type SeedOptions, scenarioFor, told } from "./simulate.ts";
import { DigestedTrace } from "./trace.ts";

const usual: SeedOptions = { hosts: null, checker: true, crashEveryEvent: false };

function digestOf(seed: number): string {
  const trace = new DigestedTrace();
  run(scenarioFor(seed, usual), { checker: true, trace });
  return trace.digest();
}

describe("the simulator", () => {
  it("finds nothing wrong in 200 fleets of 4 to 20 hosts, whatever happens to them", {
    timeout: 600_000,
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

describe("what once went wrong", () => {
  for (const { seed, hosts, checker, showed } of regressions) {
    it(`does not again: ${showed} (seed ${seed})`, () => {
      expect(told(failureOf(seed, { hosts, checker, crashEveryEvent: false }))).toBeNull();
    });
  }
});
