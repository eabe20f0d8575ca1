import { expect, test } from "vitest";
import { WideMap } from "./wide-map.ts";

const keys = Array.from({ length: 100 }, (_, number) => `h${number}/blue`);

test("replaces one entry and keeps the others, and all parts but one", () => {
  const before = WideMap.of(keys.map((key, number) => [key, number]));
  const after = before.with("h40/blue", -1);
  expect([before.get("h40/blue"), after.get("h40/blue"), after.get("h41/blue")]).toEqual([40, -1, 41]);
  expect([...after]).toEqual(keys.map((key, number) => [key, number === 40 ? -1 : number]));
  expect(after.parts.filter((part, at) => part !== before.parts[at])).toHaveLength(1);
  expect(after.size).toBe(100);
  expect(after.get("h100/blue")).toBeUndefined();
  expect(() => after.with("h100/blue", 0)).toThrow("there is no h100/blue");
});

test("has each key once, with its last value", () => {
  const doubled = WideMap.of([...keys, ...keys].map((key, number) => [key, number]));
  expect(doubled.size).toBe(100);
  expect(doubled.map((number) => number - 100).values()).toEqual(keys.map((_, number) => number));
});
