import { expect, it } from "vitest";
import { DownloadPlaces } from "./places.ts";

const patient = new AbortController().signal;
const limits = { maxDownloads: 2, maxWaiting: 2, longestWaitMs: 3_600_000 };

/** Takes a place that is there. */
async function taken(places: DownloadPlaces): Promise<() => void> {
  const giveBack = await places.take(patient);
  if (giveBack === null) throw new Error("no place was free");
  return giveBack;
}

it("gives what is free at once, then in the order of the line, then turns away", async () => {
  const places = new DownloadPlaces(limits);
  const [first, second] = [await taken(places), await taken(places)];
  const order: string[] = [];
  const waits = (name: string) =>
    taken(places).then((giveBack) => {
      order.push(name);
      return giveBack;
    });
  const [third, fourth] = [waits("third"), waits("fourth")];
  expect(await places.take(patient)).toBeNull();
  second();
  (await third)();
  (await fourth)();
  expect(order).toEqual(["third", "fourth"]);
  first();
  expect(places.taken).toBe(0);
});

it("a place given back twice is one place", async () => {
  const places = new DownloadPlaces(limits);
  const first = await taken(places);
  first();
  first();
  expect(places.taken).toBe(0);
});

it("who goes away leaves the line, and who waits too long is turned away", async () => {
  const places = new DownloadPlaces({ ...limits, longestWaitMs: 1 });
  const [first] = [await taken(places), await taken(places)];
  expect(await places.take(patient)).toBeNull();
  const gone = new AbortController();
  const waiting = places.take(gone.signal);
  gone.abort();
  expect(await waiting).toBeNull();
  first();
  expect(places.taken).toBe(1);
  expect(await places.take(gone.signal)).toBeNull();
});

it("says to each another time to come again", () => {
  const places = new DownloadPlaces(limits);
  const times = Array.from({ length: 10 }, () => places.retryAfterS());
  expect([Math.min(...times), Math.max(...times), new Set(times).size]).toEqual([1, 5, 5]);
});
