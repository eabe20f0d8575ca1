// What vitest runs before and after all tests: also a single file, run by hand, leaves nothing behind.

import { tmpdir } from "node:os";
import { basename } from "node:path";
import { isRunFolder, makeRunFolder, sweep } from "./leftovers.ts";

/** Gives the tests a temporary folder of their own, unless `npm test` has done so. */
export default function setUp(): (() => Promise<void>) | undefined {
  if (isRunFolder(basename(tmpdir()))) return undefined;
  const folder = makeRunFolder();
  process.env.TMPDIR = folder;
  return async () => {
    const left = await sweep(folder);
    for (const leftover of left) process.stderr.write(`LEFT RUNNING by the tests, now killed: ${leftover}\n`);
    if (left.length > 0) process.exitCode = 1;
  };
}
