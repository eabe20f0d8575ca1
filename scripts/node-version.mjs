// Plain JavaScript: the set-up runs on whatever Node the machine has, before the pinned one is there.

/** The oldest Node that can run the set-up (npm 10, node:fs features used by it). Everything else runs on the pinned Node. */
const OLDEST_SETUP_NODE = "20.0.0";

/**
 * Says why this Node can't run the set-up, or nothing when it can.
 *
 * @param {string} running a version as in `process.versions.node`
 * @returns {string | undefined}
 */
export function tooOldForSetup(running) {
  if (majorOf(running) >= majorOf(OLDEST_SETUP_NODE)) return undefined;
  return `Siding's set-up needs Node ${OLDEST_SETUP_NODE} or newer to fetch its own Node 24; this is Node ${running}.`;
}

/** @param {string} version */
function majorOf(version) {
  return Number.parseInt(version, 10);
}
