import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import {
  childrenOf,
  isAlive,
  isRetired,
  isWorker,
  nginxIn,
  processOf,
  signal,
  workersOf,
} from "./processes.ts";
import { until } from "./waiting.ts";

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

test("a worker that has not got as far as its own title counts as one; a new nginx that takes over does not", async () => {
  // As the kernel shows them: a fork bears its parent's title until it gives itself another.
  const title = "nginx: master process nginx";
  const bearing = (name: string) => `exec -a "${name}" sleep 60`;
  const successor = `exec -a "${title}" bash -c "(${bearing("nginx: worker process").replaceAll('"', '\\"')}) & wait"`;
  const script = `(${bearing(title)}) & (${successor}) & wait`;
  const master = spawn("bash", ["-c", script], { argv0: title, detached: true, stdio: "ignore" });
  await once(master, "spawn");
  const found = master.pid === undefined ? null : processOf(master.pid);
  if (!found) throw new Error("the master is not there");
  onTestFinished(() => void process.kill(-found.pid, "SIGKILL"));
  const isThere = () => childrenOf(found).flatMap(grandchildren).some(isWorker);
  await until(isThere, { everyMs: 5, withinMs: 5_000 });
  const starting = childrenOf(found).filter((pid) => grandchildren(pid).length === 0);
  expect(workersOf(found).map(({ pid }) => pid)).toEqual(starting);
});

function grandchildren(pid: number): number[] {
  const child = processOf(pid);
  return child ? childrenOf(child) : [];
}
