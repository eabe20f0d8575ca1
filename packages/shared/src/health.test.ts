import { describe, expect, it } from "vitest";
import { contentDigest } from "./digest.ts";
import { EdgeCheck, edgeCheckOf, HealthInput, HealthSpec } from "./health.ts";

const times = { intervalMs: 500, timeoutMs: 2_000, rise: 2, graceMs: 30_000 };

describe("health", () => {
  it.each([[{ http: "/healthz" }], [{ tcp: true }], [{ command: ["pg_isready", "-q"] }]])(
    "is asked in one way: %j",
    (written) => {
      expect(HealthInput.parse(written)).toEqual({ ...written, ...times });
    },
  );

  it.each([
    [{}, "one of http"],
    [{ http: "/", tcp: true }, "and not several"],
    [{ tcp: false }, "only true"],
  ])("refuses %j with what to write", (written, words) => {
    const parsed = HealthInput.safeParse(written);
    expect(parsed.error?.issues.map(({ message }) => message).join()).toContain(words);
  });

  it("stored by an older release reads as it was, to its digest", () => {
    const stored = { http: "/healthz", ...times };
    expect(HealthSpec.parse(stored)).toEqual(stored);
    expect(contentDigest(EdgeCheck.parse(edgeCheckOf(HealthSpec.parse(stored))))).toBe(contentDigest(stored));
  });

  it("that a command judges is a connection for an edge", () => {
    expect(edgeCheckOf({ command: ["true"], ...times })).toEqual({ tcp: true, ...times });
    expect(edgeCheckOf({ tcp: true, ...times })).toEqual({ tcp: true, ...times });
  });
});
