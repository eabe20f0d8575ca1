// Makes this checkout ready to run: Debian packages, then the workspace's npm packages with the pinned Node.
// Plain JavaScript for Node 20; everything it says goes to stderr, because stdout belongs to the command that follows.
// It may be killed at any moment and started twice at once: the next run repairs, and one waits for the other.

import { tooOldForSetup } from "./node-version.mjs";
import { say } from "./setup/child.mjs";
import {
  installBrowserIfEasy,
  installDebianPackages,
  installStreamModuleIfEasy,
  missingDebianPackages,
  missingLabPackages,
} from "./setup/debian.mjs";
import { SetupError } from "./setup/error.mjs";
import { holdLock } from "./setup/lock.mjs";
import { installWorkspace, isWorkspaceReady } from "./setup/workspace.mjs";

/** `--tests`: also what only tests need. */
const forTests = process.argv.includes("--tests");

try {
  await setUp();
  if (forTests) {
    await installBrowserIfEasy();
    await installStreamModuleIfEasy();
  }
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
  if (forTests) await installLab();
  if (!isWorkspaceReady()) await installWorkspace(lock);
}

function isReady() {
  const ready = isWorkspaceReady() && missingDebianPackages().length === 0;
  return ready && (!forTests || missingLabPackages().length === 0);
}

/** Tests that need what could not be installed are skipped, and say so. */
async function installLab() {
  const missing = missingLabPackages();
  if (missing.length === 0) return;
  await installDebianPackages(missing).catch((error) => {
    if (!(error instanceof SetupError) || error.exitCode !== 1) throw error;
    say(`no lab of real hosts: ${error.message}`);
  });
}
