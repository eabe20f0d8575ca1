import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type Brain, brainFiles, productionBrain } from "../plane/brain.ts";
import type { Mutant } from "./mutants.ts";

const controlPlane = fileURLToPath(new URL("../../../control-plane/", import.meta.url));

/** The pure parts with a mistake planted in them; a copy of its own, removed when this is disposed of. */
export interface Planted {
  readonly brain: Brain;
  [Symbol.dispose](): void;
}

/**
 * Copies the control plane's source beside the original, so that its imports resolve alike, and plants the mistake.
 * Throws where the text to replace is not there exactly once: then the list of mutants is out of date.
 */
export async function plant(mutant: Mutant): Promise<Planted> {
  const folder = mkdtempSync(join(controlPlane, ".mutants-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    cpSync(join(controlPlane, "src"), folder, {
      recursive: true,
      filter: (path) => !path.endsWith(".test.ts"),
    });
    const file = join(folder, mutant.file);
    writeFileSync(file, mutated(readFileSync(file, "utf8"), mutant));
    return { brain: await brainOf(folder), [Symbol.dispose]: remove };
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

/** The copy has the original's names and types; that it runs at all is what planting tries. */
async function brainOf(folder: string): Promise<Brain> {
  const parts: Record<string, unknown> = {};
  for (const file of brainFiles) {
    const module: unknown = await import(pathToFileURL(join(folder, file)).href);
    Object.assign(parts, module);
  }
  if (isBrain(parts)) return parts;
  throw new Error("the planted copy lacks a part of the control plane");
}

function isBrain(parts: Record<string, unknown>): parts is Record<string, unknown> & Brain {
  return Object.keys(productionBrain).every((name) => typeof parts[name] === "function");
}
