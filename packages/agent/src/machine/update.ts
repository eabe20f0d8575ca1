import type { StepFailure } from "@siding/shared/report";
import { portOf, type Release, type Target } from "@siding/shared/target";
import { awaitHook, awaitNone } from "./hook.ts";
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
  const flaw = flawOf(instance, target);
  if (flaw !== null) return fail(instance, flaw);
  return alreadyThere(instance, target) ? succeed(instance) : instance;
}

/** Restart was accepted: whatever runs is stopped and the target started, unless this very restart was carried out before. */
export function beginRestart(instance: Instance, target: Target, shot: string): Instance {
  if (instance.journal.restarted === shot) return succeed(instance);
  const flaw = flawOf(instance, target);
  return flaw === null ? instance : fail(instance, flaw);
}

/** Why this host can't run the target, as far as that is known before anything is stopped. */
function flawOf(instance: Instance, target: Target): StepFailure | null {
  const { slot } = instance.journal;
  if (portOf(target.spec.ports, slot) === null) {
    return stepFailure("start-failed", `${target.id} has no port for slot ${slot}`);
  }
  if (isUnpacked(instance, target.release)) return null;
  const { version, digest } = target.release;
  return stepFailure("release-missing", `release ${version} (${digest}) is not staged on this host`);
}

/** After the hook before it (a restart has none) the target becomes the wanted one, and the process follows. */
export function switchTarget(instance: Instance, moment: Moment): Move {
  const command = commandInHand(instance);
  if (command === null || !updateInHand(instance) || command.begunAtMs !== null) return still(instance);
  const hook = isRestart(instance) ? awaitNone(instance) : awaitHook(instance, "beforeUpdate", moment);
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
  const hook = isRestart(instance) ? awaitNone(instance) : awaitHook(instance, "afterUpdate", moment);
  return hook ?? still(succeed(noted(instance)));
}

function isRestart(instance: Instance): boolean {
  return instance.journal.command?.body.kind === "restart";
}

function noted(instance: Instance): Instance {
  const body = instance.journal.command?.body;
  return body?.kind === "restart" ? withJournal(instance, { restarted: body.shot }) : instance;
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
