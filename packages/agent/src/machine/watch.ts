import type { UpstreamContent, Watched } from "@siding/shared/command";
import type { UpstreamName } from "@siding/shared/ids";
import type { ProbeReport } from "@siding/shared/report";
import type { HealthSpec } from "@siding/shared/target";
import { describeAnswer } from "./answer.ts";
import type { Effect, OpId } from "./effect.ts";
import type { ProbeAnswer } from "./event.ts";
import { countAnswer, freshProbing, isAsked, isDue } from "./probing.ts";
import type { Upstream, WatchedState } from "./state.ts";

/** Who is watched now: known ones keep their count, another attempt or address starts anew, the rest is forgotten. */
export function watch(
  before: ReadonlyMap<string, WatchedState>,
  content: UpstreamContent,
  nowMs: number,
): ReadonlyMap<string, WatchedState> {
  return new Map(
    content.watch.map((watched) => {
      const key = `${watched.hostId}/${watched.slot}`;
      const known = before.get(key);
      const same = known !== undefined && isSameQuestion(known.watched, watched);
      return [key, same ? known : { watched, probing: freshProbing(nowMs), state: "pending" }];
    }),
  );
}

/** Asks whoever is due. */
export function askWatched(upstream: Upstream, nowMs: number): { upstream: Upstream; effects: Effect[] } {
  const due = [...upstream.watched].filter(([, each]) => isDue(each.probing.next, nowMs));
  if (due.length === 0) return { upstream, effects: [] };
  const { journal } = upstream;
  const { http: path, timeoutMs } = journal.content.health;
  const watched = new Map(upstream.watched);
  const effects = due.map(([key, each], index): Effect => {
    const op = upstreamOp(journal.upstream, upstream.ops + index + 1);
    watched.set(key, { ...each, probing: { ...each.probing, next: { kind: "asked", op } } });
    const owner = { kind: "watched", upstream: journal.upstream, key } as const;
    const { address, port } = each.watched;
    return { kind: "probe", op, owner, address, port, path, timeoutMs };
  });
  return { upstream: { ...upstream, watched, ops: upstream.ops + due.length }, effects };
}

/** Counts an answer; one to an older question is dropped. */
export function watchedAnswered(
  upstream: Upstream,
  key: string,
  op: OpId,
  answer: ProbeAnswer,
  nowMs: number,
): Upstream {
  const known = upstream.watched.get(key);
  if (known === undefined || !isAsked(known.probing, op)) return upstream;
  const next = counted(known, answer, upstream.journal.content.health, nowMs);
  return { ...upstream, watched: new Map(upstream.watched).set(key, next) };
}

/** Bad is what was good once, or has not answered well for as long as its agent would wait. */
function counted(known: WatchedState, answer: ProbeAnswer, spec: HealthSpec, nowMs: number): WatchedState {
  const probing = countAnswer(known.probing, answer, spec, nowMs);
  const lost = probing.goodRun === 0 && (known.state === "good" || nowMs - probing.sinceMs >= spec.graceMs);
  const state = probing.goodRun >= spec.rise ? "good" : lost ? "bad" : known.state;
  return { ...known, probing, state };
}

/** What a report says; an instance that is good needs no words. */
export function probeReports(upstream: Upstream): ProbeReport[] {
  return [...upstream.watched.values()].map(({ watched, probing, state }) => {
    const { hostId, slot, attempt } = watched;
    const { lastAnswer } = probing;
    const silent =
      state === "good" || lastAnswer === null || (lastAnswer.kind === "status" && probing.goodRun > 0);
    return { hostId, slot, attempt, state, ...(silent ? {} : { detail: describeAnswer(lastAnswer) }) };
  });
}

export function upstreamOp(upstream: UpstreamName, count: number): OpId {
  return `upstream/${upstream}#${count}`;
}

function isSameQuestion(left: Watched, right: Watched): boolean {
  return left.attempt === right.attempt && left.address === right.address && left.port === right.port;
}
