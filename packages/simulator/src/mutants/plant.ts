import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Core } from "@siding/control-plane/orchestrator/decide";
import type { Mutant } from "./mutants.ts";

const controlPlane = fileURLToPath(new URL("../../../control-plane/", import.meta.url));

/** The core with a mistake planted in it; a copy of its own, removed when this is disposed of. */
export interface Planted {
  readonly advance: Core["advance"];
  [Symbol.dispose](): void;
}

/**
 * Copies the pure core beside the original, so that its imports resolve alike, and plants the mistake. Throws where the
 * text to replace is not there exactly once: then the list of mutants is out of date.
 */
export async function plant(mutant: Mutant): Promise<Planted> {
  const folder = mkdtempSync(join(controlPlane, ".mutants-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    cpSync(join(controlPlane, "src", "rollout"), folder, {
      recursive: true,
      filter: (path) => !path.endsWith(".test.ts"),
    });
    const file = join(folder, mutant.file);
    writeFileSync(file, mutated(readFileSync(file, "utf8"), mutant));
    const module: unknown = await import(pathToFileURL(join(folder, "advance.ts")).href);
    return { advance: advanceOf(module), [Symbol.dispose]: remove };
  } catch (error) {
    remove();
    throw error;
  }
}

function mutated(text: string, { name, file, from, to }: Mutant): string {
  const count = text.split(from).length - 1;
  if (count !== 1) throw new Error(`'${name}': ${file} has ${count} places that say: ${from}`);
  return text.replace(from, () => to);
}

function advanceOf(module: unknown): Core["advance"] {
  if (typeof module === "object" && module !== null && "advance" in module && isFunction(module.advance)) {
    return module.advance;
  }
  throw new Error("the planted core has no advance");
}

/** The copy has the original's types; that it runs at all is what planting tries. */
function isFunction(value: unknown): value is Core["advance"] {
  return typeof value === "function";
}
