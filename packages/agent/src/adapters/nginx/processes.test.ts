import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isAlive, isRetired, nginxIn, processOf, signal } from "./processes.ts";

test("a process is known by its pid and its start", async () => {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  await once(child, "spawn");
  const found = child.pid === undefined ? null : processOf(child.pid);
  if (!found) throw new Error("the child is not there");
  expect(isAlive(found)).toBe(true);
  expect(isRetired(found)).toBe(false);
  const later = { ...found, startTicks: found.startTicks + 1 };
  expect(isAlive(later)).toBe(false);
  // Another process that was given the same pid is left alone.
  expect(signal(later, "SIGKILL")).toBe(false);
  expect(isAlive(found)).toBe(true);
  expect(signal(found, "SIGKILL")).toBe(true);
  await once(child, "exit");
  expect(isAlive(found)).toBe(false);
  expect(signal(found, "SIGKILL")).toBe(false);
});

test("a process that is no nginx is not found in its folder, and nobody in one that is not there", async () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "siding-edge-")));
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], {
    cwd: folder,
    stdio: "ignore",
  });
  await once(child, "spawn");
  expect(nginxIn(folder)).toEqual([]);
  child.kill("SIGKILL");
  await once(child, "exit");
  rmSync(folder, { recursive: true });
  expect(nginxIn(folder)).toEqual([]);
});
