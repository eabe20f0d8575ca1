// `npm run demo`: a whole Siding on this machine, and a rollout under strict traffic.

import { requireSupportedNode } from "@siding/shared/node-version";
import { CommanderError } from "commander";
import { runInYard } from "../processes/orderly-end.ts";
import { type DemoArguments, parseArguments } from "./arguments.ts";
import { runDemo } from "./run.ts";

/** As shells and commander's own default differ, the usual one for wrong arguments. */
const USAGE_ERROR = 2;

requireSupportedNode();
const options = argumentsOrExit();
await runInYard((yard, ending) => runDemo(yard, ending, options));

function argumentsOrExit(): DemoArguments {
  try {
    return parseArguments(process.argv.slice(2), (text) => void process.stderr.write(text));
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exit(error.exitCode === 0 ? 0 : USAGE_ERROR);
  }
}
