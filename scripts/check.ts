// `pnpm check`: format, lint, types, boundaries, unused code.

import { runChecks } from "./checks.ts";
import { EXIT_INTERRUPTED, watchForStop } from "./stop.ts";

const stop = watchForStop();
process.exitCode = await runChecks(stop).then(
  ({ failed }) => (failed === 0 ? 0 : 1),
  (error: unknown) => {
    if (stop.aborted) return EXIT_INTERRUPTED;
    throw error;
  },
);
