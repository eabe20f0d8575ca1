import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { eventsFileOf, watchCgroup, watchFile } from "./cgroup-events.ts";

it("is found by what the kernel says of a process", () => {
  expect(eventsFileOf("0::/system.slice/system-web.slice/web@blue.service\n")).toBe(
    "/sys/fs/cgroup/system.slice/system-web.slice/web@blue.service/cgroup.events",
  );
  const hybrid = "2:cpu:/\n1:name=systemd:/system.slice/shop.service\n0::/system.slice/shop.service\n";
  expect(eventsFileOf(hybrid)).toBe("/sys/fs/cgroup/system.slice/shop.service/cgroup.events");
});

it("is none of a process in the root, nor where there are only older hierarchies", () => {
  expect(eventsFileOf("0::/\n")).toBeNull();
  expect(eventsFileOf("2:cpu:/\n1:name=systemd:/system.slice/shop.service\n")).toBeNull();
});

it("tells each change until it is stopped", async () => {
  const folder = mkdtempSync(join(tmpdir(), "siding-cgroup-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "cgroup.events");
  writeFileSync(file, "populated 1\n");
  let stop = () => {};
  const told = new Promise<void>((resolve) => {
    stop = watchFile(file, resolve);
  });
  writeFileSync(file, "populated 0\n");
  await expect(told).resolves.toBeUndefined();
  stop();
});

it("can't be watched of a process that has ended", () => {
  expect(watchCgroup(2 ** 22 + 1, () => {})).toBeNull();
});
