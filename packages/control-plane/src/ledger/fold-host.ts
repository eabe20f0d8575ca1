import type { CommandProgress, InstanceReport, UpstreamReport } from "@siding/shared/report";
import type { ActionOf } from "../rollout/action.ts";
import type { LedgerEvent, OutsideEvent } from "./event.ts";
import { noteTimings } from "./fold-timings.ts";
import { foldSwap, sinceNow, withoutForgotten } from "./fold-upstream.ts";
import {
  type CommandRecord,
  emptyHost,
  emptyInstance,
  type HostRecord,
  type InstanceRecord,
  instanceSlotKey,
  type LedgerState,
  type Touched,
} from "./state.ts";

type HostReported = Extract<OutsideEvent, { type: "host-reported" }>;

/** A command is born: its revision is the sequence of its commit, its id names that too. */
export function foldCommandIssued(
  state: LedgerState,
  event: LedgerEvent,
  body: ActionOf<"command-issued">,
): readonly Touched[] {
  const host = state.hosts.get(body.hostId) ?? emptyHost(body.hostId);
  const key = instanceSlotKey(body.service, body.slot);
  const command: CommandRecord = {
    commandId: `c${event.sequence}` as CommandRecord["commandId"],
    rolloutId: body.rolloutId,
    service: body.service,
    slot: body.slot,
    revision: event.sequence,
    body: body.body,
    issuedAtMs: event.elapsedMs,
    deadlineMs: body.deadlineMs,
    status: "issued",
    settledAtMs: null,
    failure: null,
    hook: null,
  };
  const instance = host.instances[key] ?? emptyInstance(body.service, body.slot);
  state.hosts.set(body.hostId, {
    ...host,
    instances: { ...host.instances, [key]: { ...instance, command } },
  });
  return [{ table: "hosts", key: body.hostId }];
}

/**
 * An agent refused. What it will never do is a failure; what may pass (another incarnation or epoch is about to be
 * known) is only noted, and said when the command is overdue.
 */
export function foldCommandRefused(
  state: LedgerState,
  event: LedgerEvent,
  body: Extract<OutsideEvent, { type: "command-refused" }>,
): readonly Touched[] {
  const host = state.hosts.get(body.hostId);
  const found = Object.entries(host?.instances ?? {}).find(
    ([, instance]) => instance.command?.commandId === body.commandId,
  );
  if (!host || !found?.[1].command || found[1].command.status !== "issued") return [];
  const [key, instance] = found;
  const failure = { code: body.code, message: body.message };
  // It has accepted a higher one, which this ledger does not know: it was restored from a backup.
  const isOutrun = body.code === "stale-revision";
  const never = body.code === "wrong-host" || body.code === "wrong-role" || body.code === "not-available-yet";
  const open = found[1].command;
  const command =
    never || isOutrun
      ? settle(open, isOutrun ? "void" : "failed", event.elapsedMs, failure)
      : { ...open, failure };
  state.hosts.set(body.hostId, {
    ...host,
    instances: { ...host.instances, [key]: { ...instance, command } },
  });
  return [{ table: "hosts", key: body.hostId }];
}

/** The serving fact: the instance joined with this target on every counted edge. Left out, it keeps its last one. */
export function foldHostServing(state: LedgerState, body: ActionOf<"host-settled">): readonly Touched[] {
  const host = state.hosts.get(body.hostId);
  const rollout = state.rollouts.get(body.rolloutId);
  if (!host || !rollout || body.on === null) return [];
  const key = instanceSlotKey(rollout.service, body.slot);
  const instance = host.instances[key] ?? emptyInstance(rollout.service, body.slot);
  state.hosts.set(body.hostId, {
    ...host,
    instances: { ...host.instances, [key]: { ...instance, target: body.on } },
  });
  return [{ table: "hosts", key: body.hostId }];
}

/** A ledger that is behind takes over what an agent says that it serves. */
export function foldInstanceObserved(
  state: LedgerState,
  { hostId, service, slot, target }: Extract<OutsideEvent, { type: "instance-observed" }>,
): readonly Touched[] {
  const host = state.hosts.get(hostId) ?? emptyHost(hostId);
  const key = instanceSlotKey(service, slot);
  const instance = host.instances[key] ?? emptyInstance(service, slot);
  state.hosts.set(hostId, { ...host, instances: { ...host.instances, [key]: { ...instance, target } } });
  return [{ table: "hosts", key: hostId }];
}

export function foldHostReported(
  state: LedgerState,
  event: LedgerEvent,
  body: HostReported,
): readonly Touched[] {
  const before = state.hosts.get(body.hostId) ?? emptyHost(body.hostId);
  const touched: Touched[] = [{ table: "hosts", key: body.hostId }];
  const instances = foldInstances(before, event, body);
  const upstreams = foldUpstreams(before, body);
  const newlyCounted = body.upstreams
    .filter((upstream) => isFirstConfirmation(state, before, upstream))
    .map((upstream) => upstream.upstream);
  state.hosts.set(body.hostId, {
    ...before,
    incarnation: body.incarnation,
    facts: body.facts,
    toldEpoch: body.full ? body.facts.epochSeen : before.toldEpoch,
    instances,
    upstreams,
    counted: [...before.counted, ...newlyCounted],
    countedSince: { ...before.countedSince, ...sinceNow(newlyCounted, event) },
    reportedAtMs: event.elapsedMs,
  });
  for (const report of body.upstreams) {
    touched.push(...foldSwap(state, event, report.upstream));
    const upstream = state.upstreams.get(report.upstream);
    const pruned = upstream && withoutForgotten(state, upstream);
    if (!pruned || pruned === upstream) continue;
    state.upstreams.set(report.upstream, pruned);
    touched.push({ table: "upstreams", key: report.upstream });
  }
  return [...touched, ...noteTimings(state, before, body)];
}

/** An edge counts from when it serves what is wanted at that moment; an excluded one does not. */
function isFirstConfirmation(state: LedgerState, before: HostRecord, report: UpstreamReport): boolean {
  // What a ledger wants that is behind may long be otherwise.
  if (before.excluded || before.counted.includes(report.upstream) || state.behind !== null) return false;
  return (
    report.serving !== null && report.serving.revision === state.upstreams.get(report.upstream)?.revision
  );
}

function foldInstances(before: HostRecord, event: LedgerEvent, body: HostReported): HostRecord["instances"] {
  const next: Record<string, InstanceRecord> = { ...before.instances };
  if (body.full) forgetUnreported(next, body);
  for (const report of body.instances) {
    const key = instanceSlotKey(report.service, report.slot);
    next[key] = withReport(next[key] ?? emptyInstance(report.service, report.slot), event, report);
  }
  for (const { service, slot, commandId } of body.voided) {
    const key = instanceSlotKey(service, slot);
    const instance = next[key];
    if (instance?.command?.commandId !== commandId) continue;
    next[key] = { ...instance, command: settle(instance.command, "void", event.elapsedMs, null) };
  }
  return next;
}

/** A full report that does not name an instance says that the agent knows nothing of it. */
function forgetUnreported(instances: Record<string, InstanceRecord>, body: HostReported): void {
  const reported = new Set(body.instances.map((report) => instanceSlotKey(report.service, report.slot)));
  for (const [key, instance] of Object.entries(instances)) {
    if (!reported.has(key)) instances[key] = { ...instance, report: null };
  }
}

function withReport(instance: InstanceRecord, event: LedgerEvent, report: InstanceReport): InstanceRecord {
  const { command } = instance;
  const progress = report.command;
  if (!command || !progress || progress.commandId !== command.commandId) {
    return { ...instance, report, command: command && unlessOutrun(command, report, event) };
  }
  const drained = instance.drained || (command.body.kind === "drain" && progress.status === "done");
  return { ...instance, report, drained, command: withProgress(command, event.elapsedMs, progress) };
}

/**
 * The agent has accepted a later command than this ledger ever gave, which was restored from a backup: how this one ended
 * says nothing of what is. That a hook was done stays true.
 */
function unlessOutrun(command: CommandRecord, report: InstanceReport, event: LedgerEvent): CommandRecord {
  const isOpen = command.status === "issued" || command.status === "running";
  return (isOpen || command.body.kind !== "hook") && report.revision > command.revision
    ? settle(command, "void", event.elapsedMs, null)
    : command;
}

/** What is settled stays settled: a late restatement of "running" changes nothing. */
function withProgress(command: CommandRecord, nowMs: number, progress: CommandProgress): CommandRecord {
  if (command.settledAtMs !== null && command.status !== "void") return command;
  if (progress.status === "running") {
    return { ...command, status: "running", settledAtMs: null, hook: hookNow(command, nowMs, progress) };
  }
  return settle(command, progress.status, nowMs, progress.failure ?? null);
}

function hookNow({ hook }: CommandRecord, nowMs: number, progress: CommandProgress): CommandRecord["hook"] {
  if (progress.hook === undefined) return null;
  return hook?.name === progress.hook ? hook : { name: progress.hook, sinceMs: nowMs };
}

function settle(
  command: CommandRecord,
  status: "done" | "failed" | "void",
  nowMs: number,
  failure: CommandRecord["failure"],
): CommandRecord {
  return { ...command, status, settledAtMs: nowMs, failure, hook: null };
}

/** What an edge confirmed once it does not take back: the served revision only grows within one agent's life. */
function foldUpstreams(before: HostRecord, body: HostReported): HostRecord["upstreams"] {
  const next: Record<string, UpstreamReport> = body.full ? {} : { ...before.upstreams };
  for (const report of body.upstreams) next[report.upstream] = report;
  return next;
}

export function foldHold(
  state: LedgerState,
  event: LedgerEvent,
  body: Extract<OutsideEvent, { type: "host-held" | "host-released" }>,
): readonly Touched[] {
  const host = state.hosts.get(body.hostId);
  if (!host) return [];
  const hold =
    body.type === "host-held" ? { kind: body.kind, by: event.by, at: event.at, comment: body.comment } : null;
  state.hosts.set(body.hostId, { ...host, hold });
  return [{ table: "hosts", key: body.hostId }];
}
