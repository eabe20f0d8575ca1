// What vitest runs before and after all tests: also a single file, run by hand, leaves nothing behind.

import { tmpdir } from "node:os";
import { basename } from "node:path";
import { isRunFolder, makeRunFolder, sweep } from "./leftovers.ts";

let folder: string | undefined;

/** Gives the tests a temporary folder of their own, unless `npm test` has done so. */
export function setup(): void {
  if (isRunFolder(basename(tmpdir()))) return;
  folder = makeRunFolder();
  process.env.TMPDIR = folder;
}

/** Ends what the tests left running, which fails the run, and removes the folder. */
export async function teardown(): Promise<void> {
  if (folder === undefined) return;
  const left = await sweep(folder);
  for (const leftover of left) process.stderr.write(`LEFT RUNNING by the tests, now killed: ${leftover}\n`);
  if (left.length > 0) process.exitCode = 1;
}
