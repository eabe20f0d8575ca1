// `npm test`: the checks, the unit tests, then the end-to-end tests on real processes. Ends with one line of counts.

import { join } from "node:path";
import { runChecks, type Tally } from "./checks.ts";
import { ROOT, runTool } from "./child.ts";
import { makeRunFolder, sweep } from "./leftovers.ts";
import { EXIT_INTERRUPTED, watchForStop } from "./stop.ts";
import { runTestProject } from "./vitest.ts";

/** As vitest.config.ts names them; one after the other, since side by side they starve each other. */
const projects = ["unit", "e2e", "e2e-agent", "e2e-lab"] as const;

/** Of all tests these leave most of the machine idle: meanwhile the lab's image is made, where there is none yet. */
const idlest = "e2e-agent";
const imageProgram = join(ROOT, "packages/playground/src/lab/image.main.ts");

refuseArguments(process.argv.slice(2));
const stop = watchForStop();
process.exitCode = await testEverything().catch((error: unknown) => {
  if (!stop.aborted) throw error;
  process.stderr.write("interrupted: not everything was tested\n");
  return EXIT_INTERRUPTED;
});

async function testEverything(): Promise<number> {
  const tallies = [await runChecks(stop), await runTests()];
  const { passed, failed, skipped } = tallies.reduce(sum);
  process.stdout.write(`${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}\n`);
  return failed === 0 ? 0 : 1;
}

/** All test projects in a temporary folder of their own. That nothing of them is left running counts as a test. */
async function runTests(): Promise<Tally> {
  const folder = makeRunFolder();
  let left: string[] = [];
  let tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  try {
    for (const project of projects) {
      const image = project === idlest ? makeImage(folder) : null;
      tally = sum(tally, await runTestProject(project, folder, stop));
      await image;
    }
  } finally {
    left = await sweep(folder);
    for (const leftover of left) process.stderr.write(`LEFT RUNNING by the tests, now killed: ${leftover}\n`);
  }
  return sum(tally, { passed: left.length === 0 ? 1 : 0, failed: left.length === 0 ? 0 : 1, skipped: 0 });
}

/** Where it fails, the lab's own tests try it again and say why. */
function makeImage(folder: string): Promise<unknown> {
  return runTool("node", [imageProgram], { output: "inherit", env: { TMPDIR: folder }, stop });
}

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
