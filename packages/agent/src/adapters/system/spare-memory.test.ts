import { ok } from "@siding/shared/result";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { emptyJournal } from "../../machine/journal.ts";
import { SpareMemory } from "./spare-memory.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("is given back, and what a deploy had compiled with it, when the agent has rested, and again after the next deploy", () => {
  let collections = 0;
  const spare = new SpareMemory(() => (collections += 1));
  const journal = spare.after({ write: () => ok(null) });
  spare.used();
  for (let step = 0; step < 10; step += 1) {
    vi.advanceTimersByTime(1_500);
    expect(journal.write(emptyJournal("boot"))).toEqual(ok(null));
  }
  expect(collections).toBe(0);
  vi.advanceTimersByTime(60_000);
  expect(collections).toBe(2);
  journal.write(emptyJournal("boot"));
  vi.advanceTimersByTime(60_000);
  expect(collections).toBe(4);
});

it("stays where Node was started without --expose-gc", () => {
  const spare = new SpareMemory(undefined);
  spare.used();
  expect(vi.getTimerCount()).toBe(0);
});
