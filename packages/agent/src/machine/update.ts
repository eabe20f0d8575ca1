import { portOf, type Release, type Target } from "@siding/shared/target";
import { type Moment, type Move, still, updateInHand, withJournal } from "./move.ts";
import { fail, succeed } from "./outcome.ts";
import type { Instance } from "./state.ts";
import { stepFailure } from "./step-failure.ts";
import { freshSupervision } from "./supervision.ts";

/**
 * Update or revert was accepted: the target becomes the wanted one, and the process follows. What can be known to
 * fail is refused here, before anything is stopped.
 */
export function beginUpdate(instance: Instance, target: Target): Instance {
  const { slot } = instance.journal;
  if (portOf(target.spec.ports, slot) === null) {
    return fail(instance, stepFailure("start-failed", `${target.id} has no port for slot ${slot}`));
  }
  if (!isUnpacked(instance, target.release)) {
    const { version, digest } = target.release;
    return fail(
      instance,
      stepFailure("release-missing", `release ${version} (${digest}) is not staged on this host`),
    );
  }
  if (alreadyThere(instance, target)) return succeed(instance);
  const wanted = { target, proven: false, startId: null };
  return { ...withJournal(instance, { wanted }), supervision: freshSupervision };
}

/** Done as soon as the process is started; whether it lives is verify's question. */
export function carryOnUpdate(instance: Instance, _moment: Moment): Move {
  const { process, journal } = instance;
  if (!updateInHand(instance) || journal.wanted === null || journal.wanted.startId === null)
    return still(instance);
  const startId = process.kind === "absent" ? process.exit?.startId : process.startId;
  const begun = process.kind === "running" || process.kind === "absent";
  return still(begun && startId === journal.wanted.startId ? succeed(instance) : instance);
}

/** A healthy process of this very target that has served is not disturbed. */
function alreadyThere(instance: Instance, target: Target): boolean {
  const { process, journal, health } = instance;
  const { wanted } = journal;
  if (wanted === null || !wanted.proven || process.kind !== "running" || health === "bad") return false;
  return wanted.target.id === target.id && wanted.startId === process.startId;
}

function isUnpacked(instance: Instance, release: Release): boolean {
  const { staged, started } = instance.journal;
  const known = [...staged.map((each) => each.release), ...(started ? [started.target.release] : [])];
  return known.some((each) => each.digest === release.digest && each.version === release.version);
}
