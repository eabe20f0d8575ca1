import { existsSync, statSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { isAlive } from "./holders.ts";
import { Yard } from "./yard.ts";

function openYard(): Yard {
  const yard = new Yard();
  onTestFinished(async () => void (await yard.close()));
  return yard;
}

test("undoes the newest first, then ends programs, then removes the folder", async () => {
  const yard = openYard();
  const sleeper = yard.start({ name: "sleeper", command: "sleep", args: ["600"] });
  const undone: string[] = [];
  for (const what of ["first", "second"]) {
    yard.beforeClose(what, async () => {
      undone.push(`${what}, sleeper ${sleeper.running ? "running" : "ended"}`);
      await Promise.resolve();
    });
  }
  expect(await yard.close()).toEqual([]);
  expect(undone).toEqual(["second, sleeper running", "first, sleeper running"]);
  expect(isAlive(sleeper.pid)).toBe(false);
  expect(existsSync(yard.folder)).toBe(false);
});

test("starts nothing behind the broom", async () => {
  const yard = openYard();
  await yard.close();
  expect(() => yard.start({ name: "late", command: "sleep", args: ["600"] })).toThrow("not starting late");
});

test("a failing undo is a complaint, and everything else still happens", async () => {
  const yard = openYard();
  yard.beforeClose("the impossible", () => Promise.reject(new Error("can't")));
  expect(await yard.close()).toEqual(["the impossible: Error: can't"]);
  expect(existsSync(yard.folder)).toBe(false);
});

test("can be entered by nginx's workers", () => {
  expect(statSync(openYard().folder).mode & 0o777).toBe(0o755);
});

test("a program that can't be started, or fails, says why", async () => {
  const yard = openYard();
  await expect(yard.run({ name: "nothing", command: "no-such-program", args: [] })).rejects.toThrow("ENOENT");
  const failing = yard.run({ name: "failing", command: "sh", args: ["-c", "echo the reason; exit 3"] });
  await expect(failing).rejects.toThrow("failing ended with 3\nthe reason");
});
