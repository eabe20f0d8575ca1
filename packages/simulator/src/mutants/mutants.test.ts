import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hunt } from "./hunt.ts";
import { mutants } from "./mutants.ts";
import { type Planted, plant } from "./plant.ts";

/** The rarest of the mistakes shows within so many seeds; the others show at once. */
const seeds = 150;
const timeoutMs = 300_000;

describe("a mistake planted in the core", () => {
  describe.each(mutants)("$name", (mutant) => {
    let planted: Planted;
    beforeAll(async () => {
      planted = await plant(mutant);
    });
    afterAll(() => planted[Symbol.dispose]());

    it("is caught", { timeout: timeoutMs }, () => {
      const caught = hunt(planted.brain, {
        checker: false,
        judges: mutant.judges,
        seeds,
        first: mutant.shownBy,
      });
      expect(caught, `none of ${mutant.judges.join(", ")} objected`).not.toBeNull();
    });

    const { checkerRule } = mutant;
    // Not every mistake breaks a rule of the checker's: some only lead nowhere.
    if (checkerRule === null) return;
    it("is refused in production", { timeout: timeoutMs }, () => {
      const refused = hunt(planted.brain, {
        checker: true,
        judges: ["checker"],
        seeds,
        first: mutant.shownBy,
      });
      expect(refused?.verdict.message).toContain(`rule ${checkerRule}:`);
    });
  });

  it("leaves no copy behind, and says so where its text is not there", async () => {
    const [first] = mutants;
    if (!first) throw new Error("no mutants");
    const copies = () =>
      readdirSync(fileURLToPath(new URL("../../../control-plane/", import.meta.url))).filter((name) =>
        name.startsWith(".mutants-"),
      );
    const before = copies();
    await expect(plant({ ...first, from: "not in the file" })).rejects.toThrow(/has 0 places/);
    (await plant(first))[Symbol.dispose]();
    expect(copies()).toEqual(before);
  });
});
