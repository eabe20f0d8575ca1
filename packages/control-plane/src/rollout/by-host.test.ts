import fc from "fast-check";
import { expect, test } from "vitest";
import { entriesOf, entryOf, isNamedIn } from "./by-host.ts";

const lists = fc.array(fc.record({ hostId: fc.constantFrom("h1", "h2", "h3"), number: fc.nat() }));
const hostIds = fc.constantFrom("h1", "h2", "h4");

test("finds what looking through the whole list finds", () => {
  fc.assert(
    fc.property(lists, hostIds, (list, wanted) => {
      expect(entriesOf(list, wanted)).toEqual(list.filter(({ hostId }) => hostId === wanted));
      expect(entryOf(list, wanted)).toBe(list.find(({ hostId }) => hostId === wanted));
      expect(isNamedIn(list, wanted)).toBe(list.some(({ hostId }) => hostId === wanted));
    }),
  );
});
