import { hasSameContent } from "@siding/shared/digest";
import type { InstanceReport, UpstreamReport } from "@siding/shared/report";
import { stateDigest } from "@siding/shared/state-digest";
import type { Effect } from "./effect.ts";
import type { Refusal, Say } from "./intake.ts";
import { instanceReport, refusalReport, stateReport } from "./report.ts";
import type { MachineState, Said } from "./state.ts";
import { upstreamReport } from "./upstream.ts";

/** The numbers of a drain change with every request; more often than this nobody reads them. */
const countsEveryMs = 1_000;

/** What is said now, and when there is more to say without anything new happening. */
export interface Spoken {
  readonly state: MachineState;
  readonly effects: readonly Effect[];
  readonly moreAtMs: number | null;
}

/** Reports what has changed since the last report, and what was asked for. Says nothing while nobody listens. */
export function speak(state: MachineState, refusal: Refusal | null, say: Say, nowMs: number): Spoken {
  if (state.link.kind === "down" || state.readiness.kind !== "ready") {
    return { state, effects: [], moreAtMs: null };
  }
  const refusing = refusal === null ? still(state) : sayRefusal(state, refusal);
  const reported = sayState(refusing.state, say, nowMs);
  const beaten = sayBeat(reported.state, say, nowMs);
  return {
    state: beaten.state,
    effects: [...refusing.effects, ...reported.effects, ...beaten.effects],
    moreAtMs: reported.moreAtMs,
  };
}

function sayRefusal(state: MachineState, refusal: Refusal): Spoken {
  const sequence = state.said.sequence + 1;
  const report = refusalReport(state, refusal, sequence);
  return {
    state: { ...state, said: { ...state.said, sequence } },
    effects: [{ kind: "send-report", report }],
    moreAtMs: null,
  };
}

function sayState(state: MachineState, say: Say, nowMs: number): Spoken {
  const full = say.kind === "everything" || say.kind === "hello";
  const { due: instances, moreAtMs } = dueInstances(state, say, full, nowMs);
  const upstreams = dueUpstreams(state, say, full);
  if (!full && instances.size === 0 && upstreams.size === 0) return { state, effects: [], moreAtMs };
  const sequence = state.said.sequence + 1;
  const report = stateReport(state, full, [...instances.values()], [...upstreams.values()], sequence);
  const said = withSaid(state.said, sequence, instances, upstreams);
  return {
    state: { ...afterSaying(state, instances, nowMs), said },
    effects: [{ kind: "send-report", report }],
    moreAtMs,
  };
}

function dueInstances(state: MachineState, say: Say, full: boolean, nowMs: number) {
  const due = new Map<string, InstanceReport>();
  let moreAtMs: number | null = null;
  for (const [key, instance] of state.instances) {
    const report = instanceReport(instance);
    const asked = full || (say.kind === "instance" && say.key === key);
    const atMs = asked ? nowMs : newsAtMs(state.said.instances.get(key), report, instance.countsSaidAtMs);
    if (atMs === null) continue;
    if (atMs <= nowMs) due.set(key, report);
    else moreAtMs = Math.min(atMs, moreAtMs ?? atMs);
  }
  return { due, moreAtMs };
}

function dueUpstreams(state: MachineState, say: Say, full: boolean): ReadonlyMap<string, UpstreamReport> {
  const reports = [...state.upstreams].map(([name, upstream]) => [name, upstreamReport(upstream)] as const);
  const due = reports.filter(([name, report]) => {
    const asked = full || (say.kind === "upstream" && say.name === name);
    return asked || !hasSameContent(state.said.upstreams.get(name), report);
  });
  return new Map(due);
}

/** When a report is due: at once, later where only numbers have changed, or not at all (null). */
function newsAtMs(
  before: InstanceReport | undefined,
  report: InstanceReport,
  countsSaidAtMs: number | null,
): number | null {
  if (before === undefined) return Number.NEGATIVE_INFINITY;
  const [known, present] = [withoutOutput(before), withoutOutput(report)];
  if (hasSameContent(known, present)) return null;
  if (!hasSameContent(withoutCounts(known), withoutCounts(present))) return Number.NEGATIVE_INFINITY;
  return countsSaidAtMs === null ? Number.NEGATIVE_INFINITY : countsSaidAtMs + countsEveryMs;
}

function withoutCounts(report: InstanceReport): InstanceReport {
  if (report.command?.inFlight === undefined) return report;
  const { inFlight: _, ...command } = report.command;
  return { ...report, command };
}

/** A health command may print something else at each run: what it printed comes along, and is no news by itself. */
function withoutOutput(report: InstanceReport): InstanceReport {
  if (report.trouble?.output === undefined) return report;
  const { output: _, ...trouble } = report.trouble;
  return { ...report, trouble };
}

function afterSaying(
  state: MachineState,
  said: ReadonlyMap<string, InstanceReport>,
  nowMs: number,
): MachineState {
  const counted = [...said].filter(([, report]) => report.command?.inFlight !== undefined);
  if (counted.length === 0) return state;
  const instances = new Map(state.instances);
  for (const [key] of counted) {
    const instance = instances.get(key);
    if (instance !== undefined) instances.set(key, { ...instance, countsSaidAtMs: nowMs });
  }
  return { ...state, instances };
}

function withSaid(
  said: Said,
  sequence: number,
  instances: ReadonlyMap<string, InstanceReport>,
  upstreams: ReadonlyMap<string, UpstreamReport>,
): Said {
  return {
    sequence,
    instances: new Map([...said.instances, ...instances]),
    upstreams: new Map([...said.upstreams, ...upstreams]),
  };
}

function sayBeat(state: MachineState, say: Say, nowMs: number): Spoken {
  const { link, said, agent } = state;
  if (link.kind === "down") return still(state);
  const due = nowMs >= link.nextBeatAtMs;
  if (!due && say.kind !== "hello") return still(state);
  const digest = stateDigest(said.instances.values(), said.upstreams.values());
  const intervalMs = agent.beatIntervalMs;
  const nextBeatAtMs = due ? Math.max(link.nextBeatAtMs + intervalMs, nowMs + 1) : link.nextBeatAtMs;
  return {
    state: { ...state, link: { kind: "up", nextBeatAtMs } },
    effects: [{ kind: "send-beat", stateDigest: digest, intervalMs }],
    moreAtMs: null,
  };
}

function still(state: MachineState): Spoken {
  return { state, effects: [], moreAtMs: null };
}
