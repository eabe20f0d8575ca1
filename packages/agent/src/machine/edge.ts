import type { UpstreamName } from "@siding/shared/ids";
import type { StepFailure } from "@siding/shared/report";
import type { Result } from "@siding/shared/result";
import { prepare, prepared, prepareWakeAtMs } from "./candidate.ts";
import { coldMessage, currentWithinMs, hasWaited, newestLists } from "./cold-start.ts";
import { backoffMs } from "./complaint.ts";
import type { Effect } from "./effect.ts";
import { followHealth } from "./ejection.ts";
import type { EdgeEvent, EdgeStart, ServedRevision } from "./event.ts";
import { askListed, listedWakeAtMs, rememberEjected } from "./listed.ts";
import type { EdgeCondition, EdgeDeed, MachineState, Upstream } from "./state.ts";
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
      return edgeStarted(state, event.op, event.result, nowMs);
    case "edge-recovered":
      return edgeAnswered(state, event.op, event.result, nowMs);
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
  const due = dueDeed(state, nowMs);
  if (due !== null) {
    const begun = attempt(due.deed, due.tries, state.upstreams);
    edge = begun.edge;
    effects.push(begun.effect);
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

/** What is to be done about the edge itself, by now. */
function dueDeed({ edge, upstreams }: MachineState, nowMs: number): { deed: EdgeDeed; tries: number } | null {
  if (edge.kind === "broken" && edge.atMs <= nowMs) return { deed: edge.again, tries: edge.tries + 1 };
  if (edge.kind === "cold" && hasWaited(edge, upstreams, nowMs)) return { deed: "start", tries: 1 };
  return null;
}

/** The effect that finds the edge, starts it or brings it back, and the condition that waits for its answer. */
export function attempt(
  deed: EdgeDeed,
  tries: number,
  upstreams: ReadonlyMap<UpstreamName, Upstream>,
): { edge: EdgeCondition; effect: Effect } {
  const op = `edge-${deed}#${tries}`;
  const edge: EdgeCondition = { kind: "trying", deed, op, tries };
  if (deed === "recover") return { edge, effect: { kind: "recover-edge", op } };
  return { edge, effect: { kind: "start-edge", op, lists: deed === "find" ? null : newestLists(upstreams) } };
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
  const ofEdge = edge.kind === "broken" ? edge.atMs : edge.kind === "cold" ? edge.untilMs : null;
  return [ofEdge, ...ofUpstreams];
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

function edgeStarted(
  state: MachineState,
  op: string,
  result: Result<EdgeStart, StepFailure>,
  nowMs: number,
): MachineState {
  const { edge } = state;
  if (edge.kind !== "trying" || edge.op !== op || !result.ok) return edgeAnswered(state, op, result, nowMs);
  const { kind, confirmed } = result.value;
  const byName = new Map(confirmed.map((served) => [served.upstream, served]));
  if (kind === "cold") return turnedCold(state, byName, nowMs);
  const found = eachUpstream(state, (upstream) =>
    foundServed(upstream, byName.get(upstream.journal.upstream), nowMs),
  );
  return edgeAnswered(found, op, result, nowMs);
}

/** Nobody is served, so that there is time to hear what is current; who was ejected stays so until it answers well. */
function turnedCold(
  state: MachineState,
  confirmed: ReadonlyMap<UpstreamName, ServedRevision>,
  nowMs: number,
): MachineState {
  const edge: EdgeCondition = { kind: "cold", untilMs: nowMs + currentWithinMs };
  return eachUpstream({ ...state, edge }, (upstream) => {
    const { ejected = [] } = confirmed.get(upstream.journal.upstream) ?? {};
    return sayEdgeTrouble({ ...upstream, listed: rememberEjected(upstream.listed, ejected) }, coldMessage);
  });
}

function edgeAnswered(
  state: MachineState,
  op: string,
  result: Result<unknown, StepFailure>,
  nowMs: number,
): MachineState {
  const { edge } = state;
  if (edge.kind !== "trying" || edge.op !== op) return state;
  if (result.ok) {
    const up: EdgeCondition = { kind: "up", tries: edge.tries, sinceMs: nowMs };
    return eachUpstream({ ...state, edge: up }, (upstream) => edgeBack(upstream, nowMs));
  }
  const { message } = result.error;
  const atMs = nowMs + backoffMs(edge.tries);
  const broken: EdgeCondition = { kind: "broken", again: edge.deed, atMs, tries: edge.tries, message };
  return eachUpstream({ ...state, edge: broken }, (upstream) => sayEdgeTrouble(upstream, message));
}

/**
 * A master that dies again soon after its recovery is brought back more and more slowly. One that dies before the answer
 * to its start or recovery makes that answer worthless.
 */
function edgeDown(state: MachineState, message: string, nowMs: number): MachineState {
  const { edge } = state;
  if (edge.kind === "absent" || edge.kind === "broken" || edge.kind === "cold") return state;
  const well = edge.kind === "up" && nowMs - edge.sinceMs >= wellAfterMs;
  const tries = well ? 0 : edge.tries;
  const atMs = tries <= 1 ? nowMs : nowMs + backoffMs(tries);
  const again = edge.kind === "trying" ? edge.deed : "recover";
  return { ...state, edge: { kind: "broken", again, atMs, tries, message } };
}

function eachUpstream(state: MachineState, change: (upstream: Upstream) => Upstream): MachineState {
  return { ...state, upstreams: new Map([...state.upstreams].map(([name, each]) => [name, change(each)])) };
}

export function withUpstream(state: MachineState, name: UpstreamName, upstream: Upstream): MachineState {
  return { ...state, upstreams: new Map(state.upstreams).set(name, upstream) };
}
