import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { ROOT } from "../child.ts";

/** Who has a package among its dependencies: pnpm shows it to nobody else. */
const OWNERS = ["package.json", "packages/control-plane/package.json"];

/** The folder of an installed package. Errors: throws, naming it, where it is not installed. */
export function packageFolder(name: string): string {
  for (const owner of OWNERS) {
    try {
      return dirname(createRequire(join(ROOT, owner)).resolve(`${name}/package.json`));
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw cause;
    }
  }
  throw new Error(`the package ${name} is not installed: run npm run setup`);
}
