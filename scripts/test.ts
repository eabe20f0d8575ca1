// `npm test`: the checks, the unit tests, then the end-to-end tests on real processes. Ends with one line of counts.

import { runChecks, type Tally } from "./checks.ts";
import { runTestProject } from "./vitest.ts";

refuseArguments(process.argv.slice(2));
const tallies = [await runChecks(), await runTestProject("unit"), await runTestProject("e2e")];
const total = tallies.reduce(sum);
process.exitCode = total.failed === 0 ? 0 : 1;
const skipped = total.skipped === 0 ? "" : `, ${total.skipped} skipped`;
process.stdout.write(`${total.passed} passed, ${total.failed} failed${skipped}\n`);

function sum(left: Tally, right: Tally): Tally {
  return {
    passed: left.passed + right.passed,
    failed: left.failed + right.failed,
    skipped: left.skipped + right.skipped,
  };
}

function refuseArguments(args: string[]): void {
  if (args.length === 0) return;
  process.stderr.write(
    `npm test runs everything and takes no arguments (${args.join(" ")}). For a part: node_modules/.bin/vitest run FILE\n`,
  );
  process.exit(2);
}
