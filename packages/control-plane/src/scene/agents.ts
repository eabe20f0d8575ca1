import type { HookName } from "@siding/shared/hooks";
import type { HostId } from "@siding/shared/ids";
import type { InstanceReport, ProbeReport, StepFailure, UpstreamReport } from "@siding/shared/report";
import type { CommandRecord, HostRecord, InstanceRecord, UpstreamRecord } from "../ledger/state.ts";

/** How one host of a scene behaves; left out, everything goes well at once. */
export interface Behaviour {
  /** The step that fails, and why. */
  readonly fails?: { readonly kind: string; readonly failure: StepFailure };
  /** The hook that this command never gets past. */
  readonly hangs?: { readonly kind: string; readonly hook: HookName };
  /** The agent answers nothing. */
  readonly silent?: boolean;
  /** Another agent beats under the same id; nobody knows which of the two is told something. */
  readonly cloned?: boolean;
  /** What nginx says of the swap of in-place when the edge prepares it. */
  readonly refusesSwap?: string;
  /** The edge prepares the swap and never carries it out. */
  readonly neverSwaps?: boolean;
}

/** By the id of the host or edge. */
export type Behaviours = ReadonlyMap<string, Behaviour>;

/** A report for each instance of which the agent was told something that it has not done yet. */
export function hostAnswers(host: HostRecord, { fails, hangs }: Behaviour): readonly InstanceReport[] {
  return Object.values(host.instances).flatMap((instance) => {
    const { command } = instance;
    const isDone = command?.status === "running" && !hangs;
    if (!command || (command.status !== "issued" && !isDone)) return [];
    const failure = fails?.kind === command.body.kind ? fails.failure : null;
    const report = answered(instance, command, failure);
    const hook = hangs?.kind === command.body.kind ? hangs.hook : null;
    return [hook === null ? report : inHook(report, instance, hook)];
  });
}

/** The command is under way: the agent runs this hook for it, and nothing else has changed. */
function inHook(
  { command, ...report }: InstanceReport,
  before: InstanceRecord,
  hook: HookName,
): InstanceReport {
  const { running = null, health = "unknown" } = before.report ?? {};
  return { ...report, running, health, command: command && { ...command, status: "running", hook } };
}

/** The report of an agent that has done, or failed to do, what it was told. */
function answered(
  instance: InstanceRecord,
  command: CommandRecord,
  failure: StepFailure | null,
): InstanceReport {
  const { kind, target } = command.body;
  const { service, slot } = instance;
  const unheard = { staged: [], running: null, health: "unknown" as const, trouble: null };
  const before = instance.report ?? { service, slot, revision: 0, command: null, ...unheard };
  const { commandId, revision } = command;
  const progress = { commandId, kind, targetId: target.id, timings: {} };
  if (failure) {
    const health = kind === "verify" ? "bad" : before.health;
    return { ...before, revision, health, command: { ...progress, status: "failed", failure } };
  }
  const done = { ...before, revision, command: { ...progress, status: "done" as const } };
  switch (kind) {
    case "stage":
      return { ...done, staged: [...new Set([...before.staged, target.id])] };
    case "update":
    case "revert":
    case "restart":
      return { ...done, running: target.id, health: "unknown" };
    case "verify":
      return { ...done, health: "good" };
    case "drain":
    case "rejoin":
    case "hook":
      return done;
  }
}

/** What an edge says of an upstream; null where it serves it already, or has nothing more to say. */
export function edgeAnswer(
  edge: HostRecord,
  upstream: UpstreamRecord,
  behaviours: Behaviours,
): UpstreamReport | null {
  const { revision, digest, content } = upstream;
  const before = edge.upstreams[content.upstream];
  if (before?.serving?.revision === revision) return null;
  const behaviour = behaviours.get(edge.hostId) ?? {};
  if (upstream.swap?.committedAtMs === null) return preparedSwap(upstream, before, behaviour);
  if (upstream.swap && behaviour.neverSwaps) return null;
  const probes = content.watch.map(
    (watched): ProbeReport => ({
      hostId: watched.hostId,
      slot: watched.slot,
      attempt: watched.attempt,
      state: isBad(behaviours, watched.hostId) ? "bad" : "good",
    }),
  );
  return {
    upstream: content.upstream,
    revision,
    serving: { revision, digest },
    refused: null,
    trouble: null,
    generation: revision,
    reloads: (before?.reloads ?? 0) + (hasSameMembers(upstream) ? 0 : 1),
    turnoverMs: 0,
    prepared: null,
    ejections: 0,
    ejected: [],
    panic: null,
    probes,
  };
}

function preparedSwap(
  { revision, digest }: UpstreamRecord,
  before: UpstreamReport | undefined,
  { refusesSwap }: Behaviour,
): UpstreamReport | null {
  if (before === undefined || before.prepared?.revision === revision) return null;
  if (before.refused?.revision === revision) return null;
  const answer = refusesSwap
    ? { refused: { revision, message: refusesSwap } }
    : { prepared: { revision, digest } };
  return { ...before, ...answer };
}

function isBad(behaviours: Behaviours, hostId: HostId): boolean {
  return behaviours.get(hostId)?.fails?.kind === "probe";
}

/** Only a changed list costs a reload. */
function hasSameMembers({ history }: UpstreamRecord): boolean {
  const [last, newest] = history.slice(-2);
  return newest !== undefined && JSON.stringify(last?.members) === JSON.stringify(newest.members);
}
