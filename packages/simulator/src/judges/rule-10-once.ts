import type { Journal } from "@siding/agent/machine/journal";
import type { LedgerEvent } from "@siding/control-plane/ledger/event";
import type { Command } from "@siding/shared/command";
import { hasSameContent } from "@siding/shared/digest";
import type { HostId } from "@siding/shared/ids";
import type { FactOf } from "../fact.ts";
import type { JudgeMaker } from "./judge.ts";

/**
 * Rule 10: nothing is published before it is in the log; no revision stands for two contents; an agent accepts a command
 * once, never an older one, never from an older control plane.
 */
export const once: JudgeMaker = () => {
  const log = new Map<number, LedgerEvent["body"]>();
  const journals = new Map<HostId, Journal>();
  const said = new Map<string, string>();
  return {
    name: "once",
    rule: "rule 10",
    observe(fact) {
      if (fact.kind === "ledger-restored") forget(log, fact.forgotten);
      if (fact.kind === "event") {
        const taken = log.has(fact.event.sequence);
        log.set(fact.event.sequence, fact.event.body);
        return taken ? `the log has two events ${fact.event.sequence}` : null;
      }
      if (fact.kind === "published") return unfounded(fact.command, log) ?? changed(fact.command, said);
      return fact.kind === "journal-written" ? written(journals, fact) : null;
    },
  };
};

function written(
  journals: Map<HostId, Journal>,
  { hostId, journal }: FactOf<"journal-written">,
): string | null {
  const before = journals.get(hostId);
  journals.set(hostId, journal);
  return before ? wentBack(hostId, before, journal) : null;
}

function forget(log: Map<number, unknown>, revisions: readonly number[]): void {
  for (const revision of revisions) log.delete(revision);
}

function unfounded(command: Command, log: ReadonlyMap<number, LedgerEvent["body"]>): string | null {
  if (command.kind === "sync") return null;
  const event = log.get(command.revision);
  const what = `${command.kind} ${command.commandId} to ${command.hostId}`;
  if (command.kind === "apply-revision") {
    return event?.type === "upstream-revised" && hasSameContent(event.content, command.content)
      ? null
      : `${what} is published, and the log has no such revision`;
  }
  return event?.type === "command-issued" &&
    event.hostId === command.hostId &&
    event.body.kind === command.kind &&
    event.body.target.id === command.target.id
    ? null
    : `${what} is published, and the log has no such command`;
}

/** The same number, told again by the same start of the control plane, says the same. */
function changed(command: Command, said: Map<string, string>): string | null {
  if (command.kind === "sync") return null;
  const what = command.kind === "apply-revision" ? `upstream ${command.content.upstream}` : command.service;
  const key = `${command.controlPlaneId}/${command.epoch}/${command.hostId}/${what}/${command.revision}`;
  const text =
    command.kind === "apply-revision"
      ? command.digest
      : `${command.kind} ${command.target.id} ${command.slot}`;
  const before = said.get(key) ?? text;
  said.set(key, text);
  return before === text ? null : `revision ${command.revision} says ${text}, before it said ${before}`;
}

function wentBack(hostId: HostId, before: Journal, after: Journal): string | null {
  const older = (after.controlPlane?.epoch ?? 0) < (before.controlPlane?.epoch ?? 0);
  if (older) return `${hostId} follows an older control plane`;
  return commandsWentBack(hostId, before, after) ?? revisionsWentBack(hostId, before, after);
}

function commandsWentBack(hostId: HostId, before: Journal, after: Journal): string | null {
  for (const { command, service, slot } of before.instances) {
    const next = after.instances.find((each) => each.service === service && each.slot === slot)?.command;
    if (!command || !next || next.revision > command.revision) continue;
    if (next.revision < command.revision)
      return `${hostId} accepts ${next.commandId} after ${command.commandId}`;
    const anew = command.outcome.kind !== "running" && next.outcome.kind === "running";
    if (anew) return `${hostId} begins ${next.commandId} a second time`;
  }
  return null;
}

function revisionsWentBack(hostId: HostId, before: Journal, after: Journal): string | null {
  for (const { upstream, revision, digest } of before.upstreams) {
    const next = after.upstreams.find((each) => each.upstream === upstream);
    if (!next || next.revision > revision || (next.revision === revision && next.digest === digest)) continue;
    return `edge ${hostId} accepts revision ${next.revision} after ${revision}`;
  }
  return null;
}
