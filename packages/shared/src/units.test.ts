import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AmountInput, Duration, formatAmount, formatMs } from "./units.ts";

describe("durations as a person writes them", () => {
  it.each([
    ["500ms", 500],
    ["2s", 2_000],
    ["1.5m", 90_000],
    ["2h", 7_200_000],
    ["1d", 86_400_000],
    ["0", 0],
    [0, 0],
  ])("%s is %i ms", (written, expectedMs) => {
    expect(Duration.parse(written)).toBe(expectedMs);
  });

  it.each(["5", 5, "-1s", "1 s", "1w", "", "1e3s", "99999d", null, "1s1s"])("%s is refused", (written) => {
    expect(Duration.safeParse(written).success).toBe(false);
  });

  it("are written so that they can be read again, for whole units", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 999 }), (count) => {
        expect(Duration.parse(formatMs(count))).toBe(count);
      }),
    );
    expect(formatMs(90_000)).toBe("1m30s");
    expect(formatMs(7_500_000)).toBe("2h5m");
  });
});

describe("amounts", () => {
  it.each([
    [2, { kind: "count", count: 2 }, "2"],
    ["25%", { kind: "percent", percent: 25 }, "25%"],
    ["33.3%", { kind: "percent", percent: 33.3 }, "33.3%"],
  ])("%s is read and written", (written, expected, text) => {
    const amount = AmountInput.parse(written);
    expect(amount).toEqual(expected);
    expect(formatAmount(amount)).toBe(text);
  });

  it.each([-1, 1.5, "2", "101%", "%", "a%", null])("%s is refused", (written) => {
    expect(AmountInput.safeParse(written).success).toBe(false);
  });
});
