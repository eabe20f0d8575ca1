import type { UpstreamName } from "@siding/shared/ids";
import type { StepFailure } from "@siding/shared/report";
import type { Result } from "@siding/shared/result";
import { prepare, prepared, prepareWakeAtMs } from "./candidate.ts";
import { backoffMs } from "./complaint.ts";
import type { Effect } from "./effect.ts";
import { followHealth } from "./ejection.ts";
import type { EdgeEvent, ServedRevision } from "./event.ts";
import { askListed, listedWakeAtMs } from "./listed.ts";
import type { EdgeCondition, MachineState, Upstream } from "./state.ts";
import { applied, apply, edgeBack, foundServed, sayEdgeTrouble, sayOverdue } from "./upstream.ts";
import { askWatched, watchWakeAtMs } from "./watch.ts";

/** A master that lived this long was well: its death counts as the first one again. */
const wellAfterMs = 60_000;

interface EdgeMove {
  readonly state: MachineState;
  readonly effects: readonly Effect[];
}

/** What the edge said. Whether anything follows from it is decided when the edge carries on. */
export function edgeHappened(state: MachineState, event: EdgeEvent, nowMs: number): MachineState {
  switch (event.kind) {
    case "edge-started":
      return edgeAnswered(started(state, event.result, nowMs), "starting", event.op, event.result, nowMs);
    case "edge-recovered":
      return edgeAnswered(state, "recovering", event.op, event.result, nowMs);
    case "edge-down":
      return edgeDown(state, event.message, nowMs);
    case "upstream-prepared": {
      const known = state.upstreams.get(event.upstream);
      if (known === undefined) return state;
      return withUpstream(state, event.upstream, prepared(known, event.op, event.result, nowMs));
    }
    case "upstream-applied": {
      const known = state.upstreams.get(event.upstream);
      if (known === undefined) return state;
      return withUpstream(state, event.upstream, applied(known, event.op, event.result, nowMs));
    }
  }
}

/** Brings a broken edge back, applies what is newest, one at a time, and asks those who are watched. */
export function carryOnEdge(state: MachineState, nowMs: number): EdgeMove {
  if (state.edge.kind === "absent" && state.upstreams.size === 0) return { state, effects: [] };
  const effects: Effect[] = [];
  let { edge } = state;
  if (edge.kind === "broken" && edge.atMs <= nowMs) {
    const again = tryAgain(edge.again, edge.tries + 1);
    edge = again.edge;
    effects.push(again.effect);
  }
  const upstreams = new Map(
    [...state.upstreams].map(([name, upstream]) => [name, followHealth(upstream, nowMs)]),
  );
  const next = edge.kind === "up" ? nextToApply(upstreams, nowMs) : undefined;
  for (const [name, before] of state.upstreams) {
    const followed = upstreams.get(name) ?? before;
    const asked = askWatched(sayOverdue(followed, nowMs), nowMs);
    const listed = askListed(asked.upstream, nowMs);
    const tested = edge.kind === "up" ? prepare(listed.upstream, nowMs) : { ...listed, effects: [] };
    const done = name === next ? apply(tested.upstream, nowMs) : { upstream: tested.upstream, effects: [] };
    upstreams.set(name, done.upstream);
    effects.push(...asked.effects, ...listed.effects, ...tested.effects, ...done.effects);
  }
  return { state: { ...state, edge, upstreams }, effects };
}

/** The effect that starts the edge or brings it back, and the condition that waits for its answer. */
export function tryAgain(again: "start" | "recover", tries: number): { edge: EdgeCondition; effect: Effect } {
  const op = `edge-${again}#${tries}`;
  return again === "start"
    ? { edge: { kind: "starting", op, tries }, effect: { kind: "start-edge", op } }
    : { edge: { kind: "recovering", op, tries }, effect: { kind: "recover-edge", op } };
}

export function edgeWakeAtMs(state: MachineState): (number | null)[] {
  const { edge } = state;
  const free = edge.kind === "up" && !someoneIsApplied(state.upstreams);
  const ofUpstreams = [...state.upstreams.values()].flatMap((upstream) => [
    upstream.attempt.kind === "due" && free ? upstream.attempt.atMs : null,
    upstream.overdueAtMs,
    edge.kind === "up" ? prepareWakeAtMs(upstream) : null,
    watchWakeAtMs(upstream),
    listedWakeAtMs(upstream),
  ]);
  return [edge.kind === "broken" ? edge.atMs : null, ...ofUpstreams];
}

/** One reload at a time; the oldest revision first, so that nobody waits for ever. */
function nextToApply(
  upstreams: ReadonlyMap<UpstreamName, Upstream>,
  nowMs: number,
): UpstreamName | undefined {
  if (someoneIsApplied(upstreams)) return undefined;
  return [...upstreams.values()]
    .filter(({ attempt }) => attempt.kind === "due" && attempt.atMs <= nowMs)
    .map(({ journal }) => journal)
    .toSorted((left, right) => left.revision - right.revision)[0]?.upstream;
}

function someoneIsApplied(upstreams: ReadonlyMap<UpstreamName, Upstream>): boolean {
  return [...upstreams.values()].some(({ attempt }) => attempt.kind === "asked");
}

function started(
  state: MachineState,
  result: Result<readonly ServedRevision[], StepFailure>,
  nowMs: number,
): MachineState {
  if (!result.ok) return state;
  const byName = new Map(result.value.map((served) => [served.upstream, served]));
  return eachUpstream(state, (upstream) =>
    foundServed(upstream, byName.get(upstream.journal.upstream), nowMs),
  );
}

function edgeAnswered(
  state: MachineState,
  kind: "starting" | "recovering",
  op: string,
  result: Result<unknown, StepFailure>,
  nowMs: number,
): MachineState {
  const { edge } = state;
  if (edge.kind !== kind || edge.op !== op) return state;
  if (result.ok) {
    const up: EdgeCondition = { kind: "up", tries: edge.tries, sinceMs: nowMs };
    return eachUpstream({ ...state, edge: up }, (upstream) => edgeBack(upstream, nowMs));
  }
  const { message } = result.error;
  const again = kind === "starting" ? "start" : "recover";
  const atMs = nowMs + backoffMs(edge.tries);
  const broken: EdgeCondition = { kind: "broken", again, atMs, tries: edge.tries, message };
  return eachUpstream({ ...state, edge: broken }, (upstream) => sayEdgeTrouble(upstream, message));
}

/**
 * A master that dies again soon after its recovery is brought back more and more slowly. One that dies before the answer
 * to its start or recovery makes that answer worthless.
 */
function edgeDown(state: MachineState, message: string, nowMs: number): MachineState {
  const { edge } = state;
  if (edge.kind === "absent" || edge.kind === "broken") return state;
  const well = edge.kind === "up" && nowMs - edge.sinceMs >= wellAfterMs;
  const tries = well ? 0 : edge.tries;
  const atMs = tries <= 1 ? nowMs : nowMs + backoffMs(tries);
  const again = edge.kind === "starting" ? "start" : "recover";
  return { ...state, edge: { kind: "broken", again, atMs, tries, message } };
}

function eachUpstream(state: MachineState, change: (upstream: Upstream) => Upstream): MachineState {
  return { ...state, upstreams: new Map([...state.upstreams].map(([name, each]) => [name, change(each)])) };
}

export function withUpstream(state: MachineState, name: UpstreamName, upstream: Upstream): MachineState {
  return { ...state, upstreams: new Map(state.upstreams).set(name, upstream) };
}
