import { describe, expect, it } from "vitest";
import { run } from "./run.ts";
import { failureOf, type SeedOptions, scenarioFor, told } from "./simulate.ts";

describe("the control plane killed around every commit", () => {
  const rolling = { seed: 35, hosts: 4 };
  const inPlace = { seed: 31, hosts: 4 };
  for (const { seed, hosts } of [rolling, inPlace]) {
    it(`goes on as if nothing had been (seed ${seed}, ${hosts} hosts)`, { timeout: 600_000 }, () => {
      const options: SeedOptions = { hosts, checker: true, crashEveryEvent: true };
      // A scenario in which nothing moves would prove nothing.
      expect(run(scenarioFor(seed, options), { checker: true }).endings).toEqual(["succeeded", "succeeded"]);
      expect(told(failureOf(seed, options))).toBeNull();
    });
  }
});
