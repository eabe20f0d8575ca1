import { portOf, type Release, type Target } from "@siding/shared/target";
import { awaitHook } from "./hook.ts";
import {
  commandInHand,
  type Moment,
  type Move,
  still,
  updateInHand,
  withCommand,
  withJournal,
} from "./move.ts";
import { fail, succeed } from "./outcome.ts";
import type { Instance } from "./state.ts";
import { stepFailure } from "./step-failure.ts";
import { freshSupervision } from "./supervision.ts";

/** Update or revert was accepted. What can be known to fail is refused here, before anything is stopped. */
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
  return alreadyThere(instance, target) ? succeed(instance) : instance;
}

/** After the hook before it the target becomes the wanted one, and the process follows. */
export function switchTarget(instance: Instance, moment: Moment): Move {
  const command = commandInHand(instance);
  if (command === null || !updateInHand(instance) || command.begunAtMs !== null) return still(instance);
  const hook = awaitHook(instance, "beforeUpdate", moment);
  if (hook !== null) return hook;
  const wanted = { target: command.body.target, proven: false, startId: null };
  const switched = withCommand(withJournal(instance, { wanted }), { begunAtMs: moment.nowMs });
  return still({ ...switched, supervision: freshSupervision });
}

/** Done as soon as the process is started and the hook after it has ended; whether it lives is verify's question. */
export function carryOnUpdate(instance: Instance, moment: Moment): Move {
  const { process, journal } = instance;
  const switched = updateInHand(instance) && commandInHand(instance)?.begunAtMs !== null;
  if (!switched || journal.wanted === null || journal.wanted.startId === null) return still(instance);
  const startId = process.kind === "absent" ? process.exit?.startId : process.startId;
  const begun = process.kind === "running" || process.kind === "absent";
  if (!begun || startId !== journal.wanted.startId) return still(instance);
  return awaitHook(instance, "afterUpdate", moment) ?? still(succeed(instance));
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
