import { expect, it } from "vitest";
import { procLoad } from "./load.ts";

const meminfo = "MemTotal:        1000 kB\nMemFree:          100 kB\nMemAvailable:     250 kB\n";

it("is the share of the cpu since the last sample, and of the memory now", () => {
  const stats = ["cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1\n", "cpu  150 0 100 740 110 0 0 0 0 0\ncpu0 1\n"];
  const sample = procLoad((path) => (path === "/proc/stat" ? (stats.shift() ?? "") : meminfo));
  expect(sample()).toEqual({ cpu: null, memory: 0.75 });
  expect(sample()).toEqual({ cpu: 0.5, memory: 0.75 });
});

it("is unknown where it can't be read", () => {
  expect(procLoad(() => "nonsense\n")()).toEqual({ cpu: null, memory: null });
});

it("reads this machine", () => {
  const sample = procLoad();
  sample();
  expect(sample().memory).toBeGreaterThan(0);
});
