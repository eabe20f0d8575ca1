// `pnpm check`: format, lint, types, boundaries, unused code.

import { runChecks } from "./checks.ts";

const { failed } = await runChecks();
process.exitCode = failed === 0 ? 0 : 1;
