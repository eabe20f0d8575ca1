import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { makeRunFolder, sweep } from "./leftovers.ts";

test.each([
  ["environment", (folder: string) => sleeper([], { env: { PLACE: folder } })],
  ["command line", (folder: string) => sleeper([`${folder}/config`], { env: {} })],
  ["working folder", (folder: string) => sleeper([], { env: {}, cwd: folder })],
])("a detached process with the run's folder in its %s is killed and named", async (_, start) => {
  const folder = makeRunFolder();
  const child = start(folder);
  await once(child, "spawn");
  const ended = once(child, "exit");
  expect(await sweep(folder, 0)).toEqual([expect.stringMatching(new RegExp(`^${child.pid} `))]);
  expect(await ended).toEqual([null, "SIGKILL"]);
  expect(existsSync(folder)).toBe(false);
});

test("other processes are left alone", async () => {
  const folder = makeRunFolder();
  expect(await sweep(folder, 0)).toEqual([]);
});

function sleeper(args: string[], options: { env: NodeJS.ProcessEnv; cwd?: string }): ChildProcess {
  const script = "setTimeout(() => {}, 60_000)";
  return spawn(process.execPath, ["--eval", script, "--", ...args], {
    ...options,
    detached: true,
    stdio: "ignore",
  });
}
