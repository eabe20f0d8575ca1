import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { takeLock } from "./lock-file.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "siding-lock-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it("is one agent's until that gives it back", () => {
  const data = join(folder, "data");
  const first = takeLock(data);
  expect(takeLock(data)).toMatchObject({ ok: false, error: { code: "agent-runs-already" } });
  if (first.ok) first.value();
  expect(takeLock(data).ok).toBe(true);
});

it.each([
  [
    "a pid that was given away",
    () => `${process.pid}:1:${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()}`,
  ],
  ["another boot", () => `${process.pid}:1:00000000-0000-0000-0000-000000000000`],
  ["a crash while writing it", () => ""],
])("that is left over from %s is no obstacle", (_, text) => {
  writeFileSync(join(folder, "agent.lock"), text());
  expect(takeLock(folder).ok).toBe(true);
});

it("says which folder can't be used", () => {
  writeFileSync(join(folder, "file"), "");
  const result = takeLock(join(folder, "file"));
  expect(result.ok ? "" : result.error.message).toContain(join(folder, "file"));
});
