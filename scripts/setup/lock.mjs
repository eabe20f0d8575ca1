import { openSync } from "node:fs";
import { run, say } from "./child.mjs";
import { SetupError } from "./error.mjs";
import { ROOT } from "./root.mjs";

/** A cold set-up takes half a minute, a slow line a few: beyond this something hangs. */
const LOCK_WAIT_S = 900;

/** Where `run` puts the inherited descriptor in the child. */
const CHILD_DESCRIPTOR = "3";

/**
 * Holds the set-up lock of this checkout until this process ends, and every child that inherited the descriptor. It is
 * a flock on the checkout's folder: it leaves no file behind, and the kernel frees it whichever way we die.
 *
 * @returns {Promise<number>} the descriptor
 */
export async function holdLock() {
  const descriptor = openSync(ROOT, "r");
  const flock = (/** @type {string[]} */ ...how) =>
    run("flock", ["--exclusive", ...how, CHILD_DESCRIPTOR], { keepOpen: descriptor, onStop: "terminate" });
  if ((await flock("--nonblock")) === 0) return descriptor;
  say("another set-up of this checkout is running; waiting for it");
  if ((await flock("--timeout", String(LOCK_WAIT_S))) === 0) return descriptor;
  throw new SetupError(
    `another set-up of this checkout has been running for ${LOCK_WAIT_S} s; end it and try again`,
  );
}
