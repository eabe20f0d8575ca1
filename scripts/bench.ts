// `pnpm bench NAME …`: bench/NAME.ts, which reads its own arguments from process.argv.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { pinnedEnvironment, ROOT } from "./child.ts";
import { buildPrograms, COMPILED } from "./package/programs.ts";
import { installForBench } from "./setup/debian.mjs";
import { SetupError } from "./setup/error.mjs";

const [name = ""] = process.argv.splice(2, 1);
const names = readdirSync(join(ROOT, "bench"))
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
  .map((file) => file.slice(0, -".ts".length));

if (!names.includes(name)) {
  process.stderr.write(`there is no benchmark '${name}'; there is: ${names.join(", ")}\n`);
  process.exit(2);
}
await installForBench(name).catch((error: unknown) => {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`benchmark ${name}: ${error.message}\n`);
  process.exit(error.exitCode);
});
process.env.PATH = pinnedEnvironment().PATH ?? "";
process.env.SIDING_PROGRAMS = await buildPrograms();
process.env.NODE_COMPILE_CACHE ??= COMPILED;
await import(`../bench/${name}.ts`);
