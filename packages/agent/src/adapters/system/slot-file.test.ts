import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, it } from "vitest";
import { SlotFile } from "./slot-file.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "siding-slots-"));
  path = join(folder, "file.json");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function readAnew(): string | null {
  return new SlotFile(path).read();
}

it("has nothing before the first write", () => {
  expect(readAnew()).toBeNull();
});

it("gives back the newest of many writes, in one file that stays as large as it was", () => {
  const file = new SlotFile(path);
  file.write('"first"');
  const { size, ino } = statSync(path);
  for (let count = 0; count < 20; count += 1) {
    file.write(`{"count":${count}}`);
    expect(readAnew()).toBe(`{"count":${count}}`);
  }
  expect(statSync(path)).toMatchObject({ size, ino });
  expect(readdirSync(folder)).toEqual(["file.json"]);
});

it("goes on where an earlier process has stopped", () => {
  for (const text of ["1", "2", "3"]) {
    const file = new SlotFile(path);
    file.read();
    file.write(text);
  }
  expect(readAnew()).toBe("3");
});

it("holds two lines of JSON, for whoever looks", () => {
  const file = new SlotFile(path);
  file.write('{"a":1}');
  file.write('{"a":"{\\"}"}');
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([
    { written: 1, value: { a: 1 } },
    { written: 2, value: { a: '{"}' } },
  ]);
});

it("grows with its text, and is whole at any length", () => {
  const file = new SlotFile(path);
  for (const length of [1, 2_000, 9_000, 3, 100_000, 40_000]) {
    const text = JSON.stringify("é".repeat(length));
    file.write(text);
    expect(readAnew()).toBe(text);
  }
});

it("cut off in the middle of a write holds what was before, or what was to come", () => {
  const texts = fc.array(fc.json({ maxDepth: 1 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(texts, fc.json(), fc.nat(), fc.boolean(), (before, next, at, garbled) => {
      rmSync(path, { force: true });
      const file = new SlotFile(path);
      for (const text of before) file.write(text);
      const old = readFileSync(path);
      file.write(next);
      const whole = readFileSync(path);
      if (whole.length !== old.length) return;
      const cut = at % whole.length;
      const rest = garbled ? Buffer.alloc(old.length - cut, 7) : old.subarray(cut);
      // Of the slot that is not being written nothing is lost.
      const torn = Buffer.concat([whole.subarray(0, cut), rest]);
      const half = whole.length / 2;
      const kept = whole.subarray(0, half).equals(old.subarray(0, half)) ? 0 : 1;
      old.copy(torn, kept * half, kept * half, (kept + 1) * half);
      writeFileSync(path, torn);
      expect([before.at(-1), next]).toContain(readAnew());
    }),
    { numRuns: 200 },
  );
});

it("takes over a plain text, and replaces it", () => {
  writeFileSync(path, '{"v":1}');
  const file = new SlotFile(path);
  expect(file.read()).toBe('{"v":1}');
  file.write('{"v":2}');
  expect(readAnew()).toBe('{"v":2}');
});

it("does not write into a file that somebody has put in its place", () => {
  const file = new SlotFile(path);
  file.write("1");
  rmSync(path);
  file.write("2");
  expect(readAnew()).toBe("2");
  const copy = readFileSync(path);
  rmSync(path);
  writeFileSync(join(folder, "other"), "");
  writeFileSync(path, copy);
  file.write("3");
  expect(readAnew()).toBe("3");
});
