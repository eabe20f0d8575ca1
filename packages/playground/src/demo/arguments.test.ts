import { CommanderError } from "commander";
import { expect, test } from "vitest";
import { parseArguments } from "./arguments.ts";

function parse(args: readonly string[]) {
  const said: string[] = [];
  return { said, parsed: () => parseArguments(args, (text) => said.push(text)) };
}

test("without arguments: four hosts, the spec's strategy, ends by itself", () => {
  const { parsed } = parse([]);
  expect(parsed()).toEqual({ keep: false, json: false, hosts: 4, strategy: undefined, edgeMode: "inner" });
});

test("takes what it is given", () => {
  const strategy = '{"kind":"rolling","batchSize":"25%"}';
  const { parsed } = parse([
    "--keep",
    "--json",
    "--hosts",
    "8",
    "--edge-mode",
    "inner",
    "--strategy",
    strategy,
  ]);
  expect(parsed()).toEqual({
    keep: true,
    json: true,
    hosts: 8,
    strategy: { kind: "rolling", batchSize: "25%" },
    edgeMode: "inner",
  });
});

test.each([
  [["--hosts", "1"], "A whole number from 2 to 50"],
  [["--hosts", "four"], "A whole number from 2 to 50"],
  [["--edge-mode", "outer"], "There are: inner, include"],
  [["--strategy", "in-place"], "Not JSON"],
  [["--strategy", '{"kind":"canary"}'], "strategy 'canary' gives the new release a growing share"],
  [["--strategy", '{"kind":"big-bang"}'], "kind: Invalid discriminator value"],
  [["--strategy", '{"kind":"rolling","batchSise":1}'], "batchSise"],
  [["--frobnicate"], "unknown option '--frobnicate'"],
  [["now"], "too many arguments"],
])("refuses %j by name", (args, message) => {
  const { said, parsed } = parse(args);
  expect(parsed).toThrow(CommanderError);
  expect(said.join("")).toContain(message);
});
