import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { UnitVoice } from "./notify.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function voice(environment: ConstructorParameters<typeof UnitVoice>[0]) {
  const said: string[] = [];
  return { said, unit: new UnitVoice(environment, (words) => said.push(...words)) };
}

const asUnit = { NOTIFY_SOCKET: "/run/systemd/notify", WATCHDOG_USEC: "60000000" };

it("says when it is ready, pings twice in the watchdog's interval, and says that it stops", () => {
  const { said, unit } = voice(asUnit);
  unit.ready(() => true);
  vi.advanceTimersByTime(60_000);
  unit.stopping();
  vi.advanceTimersByTime(60_000);
  expect(said).toEqual(["READY=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"]);
});

it("does not ping for a program that is not healthy", () => {
  const { said, unit } = voice(asUnit);
  let healthy = true;
  unit.ready(() => healthy);
  vi.advanceTimersByTime(30_000);
  healthy = false;
  vi.advanceTimersByTime(300_000);
  expect(said).toEqual(["READY=1", "WATCHDOG=1"]);
});

it("has no watchdog where the unit has none, and nobody to speak to outside of a unit", () => {
  const quiet = voice({ NOTIFY_SOCKET: "/run/systemd/notify" });
  quiet.unit.ready(() => true);
  vi.advanceTimersByTime(300_000);
  expect(quiet.said).toEqual(["READY=1"]);
  const alone = voice({ WATCHDOG_USEC: "60000000" });
  alone.unit.ready(() => true);
  vi.advanceTimersByTime(300_000);
  expect(alone.said).toEqual([]);
});
