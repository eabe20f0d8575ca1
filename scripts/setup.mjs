// Makes this checkout ready to run: Debian packages, then the workspace's npm packages with the pinned Node.
// Plain JavaScript for Node 20; everything it says goes to stderr, because stdout belongs to the command that follows.
// It may be killed at any moment and started twice at once: the next run repairs, and one waits for the other.

import { tooOldForSetup } from "./node-version.mjs";
import { installBrowserIfEasy, installDebianPackages, missingDebianPackages } from "./setup/debian.mjs";
import { SetupError } from "./setup/error.mjs";
import { holdLock } from "./setup/lock.mjs";
import { installWorkspace, isWorkspaceReady } from "./setup/workspace.mjs";

try {
  await setUp();
  if (process.argv.includes("--browser")) await installBrowserIfEasy();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`set-up failed: ${error.message}\n`);
  process.exit(error.exitCode);
}

async function setUp() {
  const problem = tooOldForSetup(process.versions.node);
  if (problem !== undefined) throw new SetupError(problem);
  if (isReady()) return;
  const lock = await holdLock();
  if (isReady()) return;
  const missing = missingDebianPackages();
  if (missing.length > 0) await installDebianPackages(missing);
  if (!isWorkspaceReady()) await installWorkspace(lock);
}

function isReady() {
  return isWorkspaceReady() && missingDebianPackages().length === 0;
}
