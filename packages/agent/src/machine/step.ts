import { carryOnEdge, edgeHappened, edgeWakeAtMs, withUpstream } from "./edge.ts";
import type { Effect, InstanceRef, OpId } from "./effect.ts";
import type { Event, ProbeAnswer } from "./event.ts";
import { healthAnswered } from "./health.ts";
import { adopted, carryOnInstances, hostHappened } from "./host.ts";
import { earliest, instanceWakeAtMs } from "./instance.ts";
import { type Refusal, type Say, takeCommand } from "./intake.ts";
import { journalChanged, journalOf } from "./journal-of.ts";
import { listedAnswered } from "./listed.ts";
import { instanceRefKey } from "./move.ts";
import { speak } from "./speech.ts";
import type { MachineState } from "./state.ts";
import { watchedAnswered } from "./watch.ts";

/** What one event leads to. */
export interface Step {
  readonly state: MachineState;
  /** In this order; see {@link Effect}. */
  readonly effects: readonly Effect[];
  /** When the machine wants a `tick`; null while only an event can change anything. */
  readonly wakeAtMs: number | null;
}

/** What an event changed by itself, before anything follows from it. */
export interface Happened {
  readonly state: MachineState;
  readonly effects: readonly Effect[];
  readonly refusal: Refusal | null;
  readonly say: Say;
}

/**
 * The agent: what is, what happened, and what is to be done about it. Synchronous, and a function of its arguments.
 * `nowMs` is on the monotonic clock of this boot and never goes back.
 */
export function step(state: MachineState, event: Event, nowMs: number): Step {
  return carryOnAll(state, happened(state, event, nowMs), nowMs);
}

/** Does everything that is due after something happened, journal first, reports last. */
export function carryOnAll(
  before: MachineState,
  { state, effects, refusal, say }: Happened,
  nowMs: number,
): Step {
  const ready = state.readiness.kind === "ready";
  const hosts = ready ? carryOnInstances(state, nowMs) : { state, effects: [] };
  const edge = carryOnEdge(hosts.state, nowMs);
  const spoken = speak(edge.state, refusal, say, nowMs);
  const after = spoken.state;
  const noted: Effect[] = journalChanged(before, after)
    ? [{ kind: "write-journal", journal: journalOf(after) }]
    : [];
  return {
    state: after,
    effects: [...noted, ...effects, ...hosts.effects, ...edge.effects, ...spoken.effects],
    wakeAtMs: wakeAtMs(after, spoken.moreAtMs),
  };
}

function happened(state: MachineState, event: Event, nowMs: number): Happened {
  const nothing: Happened = { state, effects: [], refusal: null, say: { kind: "changes" } };
  switch (event.kind) {
    case "tick":
      return nothing;
    case "command":
      // Nobody knows this incarnation before its first report, and its answer would be half the truth.
      if (state.readiness.kind !== "ready") return nothing;
      return { ...nothing, ...takeCommand(state, event.command, nowMs) };
    case "connected": {
      const nextBeatAtMs = nowMs + Math.ceil(state.agent.beatIntervalMs * event.beatOffset);
      return { ...nothing, state: { ...state, link: { kind: "up", nextBeatAtMs } }, say: { kind: "hello" } };
    }
    case "disconnected":
      return { ...nothing, state: { ...state, link: { kind: "down" } } };
    case "inventoried": {
      const agent = { ...state.agent, inventory: event.inventory };
      return { ...nothing, state: { ...state, agent }, say: { kind: "everything" } };
    }
    case "adopted":
      return readier(nothing, adopted(state, event, nowMs), "forProcesses");
    case "edge-started":
      return readier(nothing, edgeHappened(state, event, nowMs), "forEdge");
    case "edge-recovered":
    case "edge-down":
    case "upstream-applied":
    case "upstream-prepared":
      return { ...nothing, state: edgeHappened(state, event, nowMs) };
    case "probed":
      return { ...nothing, state: probed(state, event, nowMs) };
    case "staged":
    case "connections-counted":
    case "process-started":
    case "process-stopped":
    case "process-exited":
    case "hook-ended":
      return { ...nothing, ...hostHappened(state, event, nowMs) };
  }
}

/** The last of what the agent had to find out at its start makes it ready; then it says everything. */
function readier(before: Happened, state: MachineState, found: "forProcesses" | "forEdge"): Happened {
  const { readiness, link } = state;
  if (readiness.kind === "ready") return { ...before, state };
  const left = { ...readiness, [found]: false };
  if (left.forProcesses || left.forEdge) return { ...before, state: { ...state, readiness: left } };
  const say: Say = link.kind === "up" ? { kind: "hello" } : { kind: "changes" };
  return { ...before, state: { ...state, readiness: { kind: "ready" } }, say };
}

function probed(state: MachineState, event: Extract<Event, { kind: "probed" }>, nowMs: number): MachineState {
  const { owner, op, answer } = event;
  switch (owner.kind) {
    case "instance":
      return instanceProbed(state, owner, op, answer, nowMs);
    case "watched":
    case "listed": {
      const upstream = state.upstreams.get(owner.upstream);
      if (upstream === undefined) return state;
      const answered = owner.kind === "watched" ? watchedAnswered : listedAnswered;
      return withUpstream(state, owner.upstream, answered(upstream, owner.key, op, answer, nowMs));
    }
  }
}

function instanceProbed(
  state: MachineState,
  ref: InstanceRef,
  op: OpId,
  answer: ProbeAnswer,
  nowMs: number,
): MachineState {
  const key = instanceRefKey(ref);
  const instance = state.instances.get(key);
  if (instance === undefined) return state;
  const instances = new Map(state.instances).set(key, healthAnswered(instance, op, answer, nowMs));
  return { ...state, instances };
}

function wakeAtMs(state: MachineState, moreToSayAtMs: number | null): number | null {
  const { link, readiness, instances } = state;
  const ready = readiness.kind === "ready";
  return earliest([
    ...(ready ? [...instances.values()].map(instanceWakeAtMs) : []),
    ...edgeWakeAtMs(state),
    ready && link.kind === "up" ? link.nextBeatAtMs : null,
    moreToSayAtMs,
  ]);
}
