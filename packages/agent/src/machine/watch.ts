import type { UpstreamContent, Watched } from "@siding/shared/command";
import type { EdgeCheck } from "@siding/shared/health";
import type { UpstreamName } from "@siding/shared/ids";
import type { ProbeReport } from "@siding/shared/report";
import { describeAnswer } from "./answer.ts";
import { type Effect, type OpId, questionOf } from "./effect.ts";
import type { ProbeAnswer } from "./event.ts";
import { earliest } from "./instance.ts";
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
      const key = memberKey(watched);
      const known = before.get(key);
      const same = known !== undefined && isSameQuestion(known.watched, watched);
      return [key, same ? known : { watched, probing: freshProbing(nowMs), state: "pending" }];
    }),
  );
}

/** Asks whoever is due. */
export function askWatched(upstream: Upstream, nowMs: number): { upstream: Upstream; effects: Effect[] } {
  const { journal } = upstream;
  const { checks } = journal.content;
  const wakeAtMs = watchWakeAtMs(upstream);
  if (wakeAtMs === null || wakeAtMs > nowMs) return { upstream, effects: [] };
  const due = [...upstream.watched].flatMap(([key, each]) => {
    const check = isDue(each.probing.next, nowMs) ? checks[each.watched.targetId] : undefined;
    return check === undefined ? [] : [{ key, each, check }];
  });
  if (due.length === 0) return { upstream, effects: [] };
  const watched = new Map(upstream.watched);
  const effects = due.map(({ key, each, check }, index): Effect => {
    const op = upstreamOp(journal.upstream, upstream.ops + index + 1);
    watched.set(key, { ...each, probing: { ...each.probing, next: { kind: "asked", op } } });
    const owner = { kind: "watched", upstream: journal.upstream, key } as const;
    const { address, port } = each.watched;
    return {
      kind: "probe",
      op,
      owner,
      address,
      port,
      question: questionOf(check),
      timeoutMs: check.timeoutMs,
    };
  });
  return { upstream: { ...upstream, watched, ops: upstream.ops + due.length }, effects };
}

/** When somebody is to be asked next; null where nobody is. One that no check is known of is never asked. */
export function watchWakeAtMs({ watched, journal }: Upstream): number | null {
  const { checks } = journal.content;
  const known = wakes.get(watched);
  if (known?.checks === checks) return known.atMs;
  const due = [...watched.values()].flatMap(({ probing, watched: { targetId } }) =>
    probing.next.kind === "due" && checks[targetId] !== undefined ? probing.next.atMs : [],
  );
  const atMs = earliest(due);
  wakes.set(watched, { checks, atMs });
  return atMs;
}

/** What happens on an edge is seldom an answer of somebody who is watched. */
const wakes = new WeakMap<
  Upstream["watched"],
  { readonly checks: UpstreamContent["checks"]; readonly atMs: number | null }
>();

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
  const check = upstream.journal.content.checks[known.watched.targetId];
  if (check === undefined) return upstream;
  const next = counted(known, answer, check, nowMs);
  return { ...upstream, watched: new Map(upstream.watched).set(key, next) };
}

/** Bad is what was good once, or has not answered well for as long as its agent would wait. */
function counted(known: WatchedState, answer: ProbeAnswer, spec: EdgeCheck, nowMs: number): WatchedState {
  const probing = countAnswer(known.probing, answer, spec, nowMs);
  const lost = probing.goodRun === 0 && (known.state === "good" || nowMs - probing.sinceMs >= spec.graceMs);
  const state = probing.goodRun >= spec.rise ? "good" : lost ? "bad" : known.state;
  return { ...known, probing, state };
}

/** What a report says; an instance that is good needs no words. */
export function probeReports({ watched }: Upstream): ProbeReport[] {
  const known = reports.get(watched) ?? reportsOf(watched);
  reports.set(watched, known);
  return known;
}

/** As above: whether there is anything to report is asked at every step. */
const reports = new WeakMap<Upstream["watched"], ProbeReport[]>();

function reportsOf(all: Upstream["watched"]): ProbeReport[] {
  return [...all.values()].map((each) => {
    const known = said.get(each) ?? reportOf(each);
    said.set(each, known);
    return known;
  });
}

/** Of those who are watched one has answered. */
const said = new WeakMap<WatchedState, ProbeReport>();

function reportOf({ watched, probing, state }: WatchedState): ProbeReport {
  const { hostId, slot, attempt } = watched;
  const { lastAnswer } = probing;
  const silent = state === "good" || lastAnswer === null || probing.goodRun > 0;
  return { hostId, slot, attempt, state, ...(silent ? {} : { detail: describeAnswer(lastAnswer) }) };
}

/** Names a member within its upstream. */
export function memberKey({ hostId, slot }: Pick<Watched, "hostId" | "slot">): string {
  return `${hostId}/${slot}`;
}

export function upstreamOp(upstream: UpstreamName, count: number): OpId {
  return `upstream/${upstream}#${count}`;
}

function isSameQuestion(left: Watched, right: Watched): boolean {
  return left.attempt === right.attempt && left.address === right.address && left.port === right.port;
}
