import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { entriesOf, entryOf, isNamedIn, placesIn, replacedSince, withEntries } from "./by-host.ts";

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

describe("a list that is made from another", () => {
  const hosts = fc.uniqueArray(fc.constantFrom("h1", "h2", "h3", "h4", "h5"), { minLength: 1 });
  const numbers = fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 6 });

  test("has the new entries where the old ones were, and knows whose they are", () => {
    fc.assert(
      fc.property(hosts, numbers, fc.nat(), (hostIds, replacements, look) => {
        const lists: (readonly { hostId: string; number: number }[])[] = [
          hostIds.map((hostId) => ({ hostId, number: -1 })),
        ];
        for (const [place, number] of replacements) {
          const [before] = lists.slice(-1);
          const hostId = hostIds[place % hostIds.length] ?? "";
          lists.push(withEntries(before ?? [], [{ hostId, number }]));
          expect(entryOf(lists.at(-1) ?? [], hostId)?.number).toBe(number);
        }
        const [older = [], newest = []] = [lists[look % lists.length], lists.at(-1)];
        const changed = newest.filter((entry, place) => entry !== older[place]).map(({ hostId }) => hostId);
        expect(replacedSince(older, newest)).toEqual(expect.arrayContaining(changed));
        expect(newest.map(({ hostId }) => hostId)).toEqual(hostIds);
        expect(placesIn(newest)).toBe(placesIn(older));
      }),
    );
  });

  test("knows nothing of a list that it was not made from", () => {
    const list = [{ hostId: "h1", number: 1 }];
    const [one, other] = [2, 3].map((number) => withEntries(list, [{ hostId: "h1", number }]));
    expect(replacedSince(list, one ?? [])).toEqual(["h1"]);
    expect(replacedSince(one ?? [], other ?? [])).toBeNull();
    expect(replacedSince(one ?? [], list)).toBeNull();
    expect(replacedSince([...list], list)).toBeNull();
    expect(() => withEntries(list, [{ hostId: "h2", number: 1 }])).toThrow("h2 has no entry");
  });
});
