import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { until } from "../until.ts";
import { isAlive } from "./holders.ts";

const FIXTURE = join(import.meta.dirname, "fixtures/stays.main.ts");
const Started = z.object({ folder: z.string(), pids: z.array(z.int()) });

/** Starts the fixture; `through` is what stands between us and it, as npm's shell does. */
async function startFixture(how: string, through: readonly string[] = []) {
  const [command = "", ...args] = [...through, process.execPath, FIXTURE, how];
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
  onTestFinished(() => void child.kill("SIGKILL"));
  let errors = "";
  child.stderr.on("data", (chunk) => {
    errors += String(chunk);
  });
  const exited = once(child, "close").then(([code]: unknown[]) => code);
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  return { child, exited, errors: () => errors, ...Started.parse(JSON.parse(line)) };
}

async function expectNothingLeft({ folder, pids }: { folder: string; pids: number[] }): Promise<void> {
  await until("the end of both", () => pids.every((pid) => !isAlive(pid)) && !existsSync(folder), 10_000);
  expect(existsSync(folder)).toBe(false);
}

function signalTwice(child: ChildProcess, signal: NodeJS.Signals): void {
  child.kill(signal);
  child.kill(signal);
}

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("%s, even twice, is one orderly end", async (signal) => {
  const fixture = await startFixture("stays");
  signalTwice(fixture.child, signal);
  // The orphan was left over: that is complained about, and turns the 0 of a wanted stop into 1.
  expect(await fixture.exited).toBe(1);
  expect(fixture.errors()).toContain(`(pid ${fixture.pids[1]}) was left over`);
  await expectNothingLeft(fixture);
});

test("a throw is shown with the logs, and leaves nothing", async () => {
  const fixture = await startFixture("throws");
  expect(await fixture.exited).toBe(1);
  expect(fixture.errors()).toContain("it went wrong");
  expect(fixture.errors()).toContain("--- sleeper");
  await expectNothingLeft(fixture);
});

test("the death of the parent is an orderly end", async () => {
  const fixture = await startFixture("stays", ["sh", "-c", '"$@"; true', "sh"]);
  fixture.child.kill("SIGKILL");
  await expectNothingLeft(fixture);
});

test("our own sudden death leaves nothing either", async () => {
  const fixture = await startFixture("stays");
  fixture.child.kill("SIGKILL");
  await expectNothingLeft(fixture);
});
