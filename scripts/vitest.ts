import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Tally } from "./checks.ts";
import { runTool } from "./child.ts";

/** What we read of vitest's JSON report. */
const Report = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      assertionResults: z.array(z.object({ fullName: z.string(), status: z.string() })),
    }),
  ),
});

/**
 * Runs one of vitest.config.ts's projects with its usual output, and counts.
 *
 * @param folder what the tests get as their temporary folder
 */
export async function runTestProject(project: string, folder: string, stop: AbortSignal): Promise<Tally> {
  process.stderr.write(`\n== ${project} tests\n`);
  const reportFile = join(folder, `${project}.json`);
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${reportFile}`];
  const end = await runTool("vitest", ["run", "--project", project, ...reporters], {
    output: "inherit",
    // Most of a program's start is compiling it, and the tests start hundreds.
    env: { TMPDIR: folder, NODE_COMPILE_CACHE: join(folder, "compiled") },
    stop,
  });
  stop.throwIfAborted();
  if (!existsSync(reportFile)) {
    process.stderr.write(`the ${project} tests gave no report\n`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const tally = tallyOf(Report.parse(JSON.parse(readFileSync(reportFile, "utf8"))));
  // Vitest also fails for what no test is to blame for, e.g. an unhandled rejection: that must not get lost.
  return end.code !== 0 && tally.failed === 0 ? { ...tally, failed: 1 } : tally;
}

function tallyOf(report: z.infer<typeof Report>): Tally {
  const tests = report.testResults.flatMap((file) => file.assertionResults);
  const skipped = tests.filter((test) => !["passed", "failed"].includes(test.status));
  for (const test of skipped) process.stderr.write(`SKIPPED: ${test.fullName}\n`);
  // A file that can't even be loaded has no tests to fail.
  const broken = report.testResults.filter(
    (file) => file.status === "failed" && file.assertionResults.every((test) => test.status !== "failed"),
  );
  return {
    passed: tests.filter((test) => test.status === "passed").length,
    failed: tests.filter((test) => test.status === "failed").length + broken.length,
    skipped: skipped.length,
  };
}
