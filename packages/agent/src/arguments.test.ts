import { expect, test } from "vitest";
import { readRequest } from "./arguments.ts";

test.each([
  [["--config", "a.yaml"], { kind: "run", configPath: "a.yaml" }],
  [["--config", "a.yaml", "--check"], { kind: "check", configPath: "a.yaml" }],
  [["--teardown", "--config=a.yaml"], { kind: "teardown", configPath: "a.yaml" }],
  [["--help"], { kind: "help" }],
  [["-h", "--config", "a.yaml"], { kind: "help" }],
  [["--version"], { kind: "version" }],
])("%j", (args, request) => {
  expect(readRequest(args)).toEqual({ ok: true, value: request });
});

test.each([
  [[], "--config FILE is missing"],
  [["--check"], "--config FILE is missing"],
  [["--config"], "'--config <value>' argument missing"],
  [["--config", "a.yaml", "--chek"], "Unknown option '--chek'"],
  [["a.yaml"], "Unexpected argument 'a.yaml'"],
  [["--config", "a.yaml", "--check", "--teardown"], "--check and --teardown can't be had together"],
])("%j is refused", (args, words) => {
  const read = readRequest(args);
  expect(read).toMatchObject({ ok: false, error: { code: "usage" } });
  expect(read.ok ? "" : read.error.message).toContain(words);
});
