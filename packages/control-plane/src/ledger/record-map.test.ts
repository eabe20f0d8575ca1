import { expect, test } from "vitest";
import { RecordMap } from "./record-map.ts";

test("knows which records were replaced since it was of an age", () => {
  const map = new RecordMap<string, number>();
  map.set("a", 1).set("b", 2);
  const { age } = map;
  expect(map.replacedSince(age)).toEqual([]);
  map.set("a", 3);
  map.delete("b");
  expect(map.replacedSince(age)).toEqual(["a", "b"]);
  expect([...map]).toEqual([["a", 3]]);
  map.clear();
  expect(map.replacedSince(age)).toEqual(["a", "b", "a"]);
});

test("does not remember for ever, and says so", () => {
  const map = new RecordMap<string, number>().set("a", 0);
  const { age } = map;
  for (let number = 1; number < 10_000; number += 1) map.set("a", number);
  expect(map.replacedSince(age)).toBeNull();
  expect(map.replacedSince(map.age - 1)).toEqual(["a"]);
});
