import { closeSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServiceName } from "@siding/shared/ids";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Output } from "./output.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "siding-output-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const which = (startId: number) => ({ service: "web" as ServiceName, slot: "blue" as const, startId });

function print(output: Output, startId: number, text: string): void {
  const file = output.open(which(startId));
  writeSync(file, text);
  closeSync(file);
}

it("gives the end of what was printed", () => {
  const output = new Output(folder);
  print(output, 1, `${"x".repeat(20_000)}\nthe end\n`);
  expect(output.tail(which(1))).toMatch(/xx\nthe end$/);
  expect(output.tail(which(1)).length).toBeLessThanOrEqual(8_192);
  expect(output.tail(which(2))).toBe("");
});

it("keeps the files of the last five starts", () => {
  const output = new Output(folder);
  for (let start = 1; start <= 8; start += 1) print(output, start, "hello");
  expect(readdirSync(join(folder, "output", "web", "blue")).sort()).toEqual(
    [4, 5, 6, 7, 8].map((start) => `${start}.log`),
  );
});

it("is cut when it has become too long, and goes on at its beginning", () => {
  const output = new Output(folder);
  const file = output.open(which(1));
  const path = join(folder, "output", "web", "blue", "1.log");
  truncateSync(path, 17 * 1_048_576);
  output.bound(which(1));
  writeSync(file, "after");
  closeSync(file);
  expect(statSync(path).size).toBe(5);
  expect(output.tail(which(1))).toBe("after");
});
