import { coldMessage, unheard, unheardMessage } from "../machine/cold-start.ts";
import type { Effect } from "../machine/effect.ts";
import { ejectedReports, judge, sameKeys } from "../machine/ejection.ts";
import type { Event } from "../machine/event.ts";
import type { AcceptedCommand } from "../machine/journal.ts";
import type { MachineState, Upstream } from "../machine/state.ts";
import type { Step } from "../machine/step.ts";
import type { Log } from "../ports/log.ts";

/** Tells in the log what a step did: the machine itself is pure and can't. */
export function narrate(log: Log, event: Event, before: MachineState, { state, effects }: Step): void {
  narrateEvent(log, event);
  for (const effect of effects) narrateEffect(log, effect, state);
  narrateCommands(log, before, state);
  narrateUpstreams(log, before, state);
}

function narrateEvent(log: Log, event: Event): void {
  if (event.kind === "process-exited") {
    const { service, slot, startId, exit } = event;
    log.warn("process-ended", { service, slot, startId, code: exit.code, signal: exit.signal });
  } else if (event.kind === "process-started" && event.result.ok) {
    log.info("process-started", { service: event.service, slot: event.slot, process: event.result.value });
  } else if (event.kind === "hook-ended") {
    const { service, slot, hook, result } = event;
    if (result.ok) log.info("hook-ended", { service, slot, hook });
    else log.warn("hook-failed", { service, slot, hook, code: result.error.code, why: result.error.message });
  } else if (event.kind === "edge-started" && event.result.ok && event.result.value.kind === "cold") {
    log.warn("edge-cold", { why: coldMessage });
  } else if (event.kind === "edge-down") {
    log.error("edge-down", { why: event.message });
  }
}

function narrateEffect(log: Log, effect: Effect, { upstreams }: MachineState): void {
  if (effect.kind === "send-report" && effect.report.kind === "refused") {
    const { commandId, code, message } = effect.report;
    log.warn("command-refused", { commandId, code, message });
  }
  if (effect.kind !== "start-edge" || effect.lists === null) return;
  const last = unheard(upstreams);
  if (last.length > 0) log.error("edge-unheard", { upstreams: last, why: unheardMessage });
}

function narrateCommands(log: Log, before: MachineState, after: MachineState): void {
  for (const [key, { journal }] of after.instances) {
    const was = before.instances.get(key)?.journal.command ?? null;
    const { command } = journal;
    if (command === null || command === was) continue;
    if (was?.commandId !== command.commandId) log.info("command-accepted", factsOf(key, command));
    if (command.outcome.kind === "running" || was?.outcome === command.outcome) continue;
    const { failure } = command.outcome.kind === "failed" ? command.outcome : {};
    log.info("command-ended", { ...factsOf(key, command), outcome: command.outcome.kind, failure });
  }
}

function factsOf(instance: string, { commandId, revision, body, timings }: AcceptedCommand) {
  return { instance, commandId, revision, kind: body.kind, targetId: body.target.id, timings };
}

function narrateUpstreams(log: Log, before: MachineState, after: MachineState): void {
  for (const [upstream, { served, complaint, journal }] of after.upstreams) {
    const was = before.upstreams.get(upstream);
    if (served !== null && served.revision !== was?.served?.revision) {
      const { revision, generation, reloads, turnoverMs } = served;
      log.info("upstream-served", { upstream, revision, generation, reloads, turnoverMs });
    }
    narrateEjections(log, was, after.upstreams.get(upstream));
    if (complaint !== null && complaint !== was?.complaint) {
      log.warn(`upstream-${complaint.kind}`, {
        upstream,
        revision: journal.revision,
        why: complaint.said.message,
      });
    }
  }
}

function narrateEjections(log: Log, before: Upstream | undefined, after: Upstream | undefined): void {
  if (after === undefined) return;
  const { upstream } = after.journal;
  const { ejected = [], ejections } = after.served ?? {};
  if (!sameKeys(before?.served?.ejected ?? [], ejected)) {
    log.warn("upstream-ejected", { upstream, ejected: ejectedReports(after), ejections });
  }
  const { panic } = judge(after.listed);
  if (panic !== null && (before === undefined || judge(before.listed).panic === null)) {
    log.error("upstream-panic", { upstream, why: panic });
  }
}
