import { cpSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { ROOT } from "../child.ts";
import { englishOnly, lazyBuiltins } from "./lean.ts";

const PROGRAMS = {
  "siding-agent": "packages/agent/src/main.ts",
  "siding-control-plane": "packages/control-plane/src/main.ts",
  /** The agent starts it by its own file's name with the bundle's ending. */
  "inventory.main": "packages/agent/src/adapters/system/inventory.main.ts",
};

/** CommonJS inside an ES module still asks for Node's own modules by `require`. */
const REQUIRE =
  "import{createRequire as makeBundleRequire}from'node:module';const require=makeBundleRequire(import.meta.url);";

/** Not to be bundled, since it loads native code from beside itself: the parts of it that run. */
export function carriedPackages(): Readonly<Record<string, readonly string[]>> {
  const native = `prebuilds/linux-${process.arch}.node`;
  return { "better-sqlite3": ["package.json", "LICENSE", "lib", native] };
}

/** What the control plane serves as it is: it looks for it beside its own program. */
const PAGE = "packages/dashboard/src/page";

/** One file a program, `NAME.mjs` in the folder, and the files of the fleet's page. */
export async function bundle(folder: string): Promise<void> {
  await build({
    absWorkingDir: ROOT,
    entryPoints: Object.entries(PROGRAMS).map(([out, input]) => ({ out, in: join(ROOT, input) })),
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    minifySyntax: true,
    minifyWhitespace: true,
    // Names of functions and classes are in error messages and stacks, so they stay: to shorten them in the source and
    // give them back at run time (keepNames) is a property of its own for each of ten thousand functions.
    minifyIdentifiers: false,
    legalComments: "none",
    external: Object.keys(carriedPackages()),
    banner: { js: REQUIRE },
    plugins: [lazyBuiltins, englishOnly],
    logLevel: "warning",
  });
  const isServed = (file: string) => !file.includes(".test.");
  cpSync(join(ROOT, PAGE), join(folder, "page"), { recursive: true, filter: isServed });
}
