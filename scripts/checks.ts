import { runTool } from "./child.ts";

/** A check of the whole workspace: it holds when each of its tools ends with 0. */
type Check = {
  readonly name: string;
  readonly tools: readonly (readonly [tool: string, ...args: string[]])[];
};

/** checks/planted.test.ts runs these same commands on planted violations. */
export const CHECKS: readonly Check[] = [
  {
    name: "format",
    tools: [["biome", "check", "--linter-enabled=false", "--error-on-warnings"]],
  },
  {
    name: "lint",
    tools: [
      ["biome", "lint", "--error-on-warnings"],
      ["oxlint", "--type-aware", "--deny-warnings"],
    ],
  },
  {
    name: "types",
    tools: [
      ["tsc", "--noEmit"],
      ["tsc", "--noEmit", "--project", "packages/dashboard"],
    ],
  },
  {
    name: "boundaries",
    tools: [
      ["depcruise", "--config", "dependency-cruiser.config.ts", "packages", "bench", "scripts", "checks"],
    ],
  },
  {
    name: "unused",
    tools: [["knip", "--no-config-hints"]],
  },
];

export type Tally = { readonly passed: number; readonly failed: number; readonly skipped: number };

/** Runs every check, also after one has failed, and says on stderr how each went. */
export async function runChecks(stop: AbortSignal): Promise<Tally> {
  let failed = 0;
  for (const check of CHECKS) {
    const startedAt = performance.now();
    const complaints = await complaintsOf(check, stop);
    stop.throwIfAborted();
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    process.stderr.write(
      `${complaints === "" ? "ok  " : "FAIL"} ${check.name} (${seconds} s)\n${complaints}`,
    );
    if (complaints !== "") failed += 1;
  }
  return { passed: CHECKS.length - failed, failed, skipped: 0 };
}

/** What the failing tools of a check said; empty when it holds. */
async function complaintsOf(check: Check, stop: AbortSignal): Promise<string> {
  const complaints: string[] = [];
  for (const [tool, ...args] of check.tools) {
    const end = await runTool(tool, args, { output: "capture", stop });
    if (end.code !== 0) complaints.push(`${end.output}\n${tool} ${args.join(" ")} ended with ${end.code}\n`);
  }
  return complaints.join("");
}
