import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalJson, hasSameContent } from "./digest.ts";

test("what has the same content has the same canonical text, and nothing else", () => {
  const value = fc.jsonValue({ maxDepth: 3, noUnicodeString: false });
  fc.assert(
    fc.property(value, value, (left, right) => {
      expect(hasSameContent(left, right)).toBe(canonicalJson(left) === canonicalJson(right));
    }),
  );
});

test("a copy with its keys in another order has the same content", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (items) => {
      const copy = Object.fromEntries(Object.entries(structuredClone(items)).reverse());
      expect(hasSameContent(items, copy)).toBe(true);
      expect(canonicalJson(items)).toBe(canonicalJson(copy));
    }),
  );
});

test.each([
  [{ a: 1, b: undefined }, { a: 1 }, true],
  [{ a: 1 }, { a: 1, b: undefined }, true],
  [{ a: 1 }, { a: 1, b: null }, false],
  [{ a: undefined }, { b: 1 }, false],
  [{ a: 1, b: 2 }, { a: 1 }, false],
  [{ a: 1 }, { a: 1, b: 2 }, false],
  [[undefined], [null], true],
  [[1], { 0: 1 }, false],
  [[], {}, false],
  [null, {}, false],
  [undefined, undefined, true],
  [undefined, {}, false],
])("%j and %j", (left, right, same) => {
  expect(hasSameContent(left, right)).toBe(same);
});
