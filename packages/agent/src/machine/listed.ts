import type { Member, UpstreamContent } from "@siding/shared/command";
import { describeAnswer, isGood } from "./answer.ts";
import { type Effect, type OpId, questionOf } from "./effect.ts";
import type { ProbeAnswer } from "./event.ts";
import { isDue } from "./probing.ts";
import type { ListedState, Standing, Upstream } from "./state.ts";
import { memberKey, upstreamOp } from "./watch.ts";

/**
 * Design section 5: who serves is asked once a second, whatever the interval of its own agent; all at one instant, so
 * that what fails together is seen to fail together.
 */
const probeEveryMs = 1_000;
/** One slow answer is no news; three in a row are. */
const fallAnswers = 3;
const riseAnswers = 2;
/** The first return needs only good answers; each later one waits twice as long as the last. */
const firstHoldMs = 4_000;
const longestHoldMs = 60_000;
/** Who has been well for so long fails for the first time again. */
const forgivenAfterMs = 300_000;

/** Who is listed now: known ones keep their standing, another target or address starts anew, the rest is forgotten. */
export function list(
  before: ReadonlyMap<string, ListedState>,
  content: UpstreamContent,
  nowMs: number,
): ReadonlyMap<string, ListedState> {
  return new Map(
    content.members.map((member) => {
      const key = memberKey(member);
      const known = before.get(key);
      return [key, known !== undefined && isSame(known.member, member) ? known : joining(member, nowMs)];
    }),
  );
}

/** It was verified a moment ago, so that the first question can wait. */
function joining(member: Member, nowMs: number): ListedState {
  const standing: Standing = { kind: "well", sinceMs: nowMs, falls: 0 };
  return { member, goodRun: 0, badRun: 0, next: nextProbe(nowMs), standing };
}

function nextProbe(nowMs: number): ListedState["next"] {
  return { kind: "due", atMs: (Math.floor(nowMs / probeEveryMs) + 1) * probeEveryMs };
}

/** An agent that starts anew finds its ejections in force: they stand until the members answer well. */
export function rememberEjected(
  listed: ReadonlyMap<string, ListedState>,
  ejected: readonly string[],
): ReadonlyMap<string, ListedState> {
  if (ejected.length === 0) return listed;
  const standing: Standing = { kind: "failing", falls: 1, detail: "ejected before this agent started" };
  return new Map(
    [...listed].map(([key, each]) => [key, ejected.includes(key) ? { ...each, standing } : each]),
  );
}

/** Asks whoever is due. A member that is delisted by the newest accepted revision is not asked any more. */
export function askListed(upstream: Upstream, nowMs: number): { upstream: Upstream; effects: Effect[] } {
  const { journal } = upstream;
  if (!isAnyDue(upstream, nowMs)) return { upstream, effects: [] };
  const listed = new Map(upstream.listed);
  const effects: Effect[] = [];
  for (const [key, each] of upstream.listed) {
    const check = journal.content.checks[each.member.targetId];
    if (check === undefined || !isDue(each.next, nowMs)) continue;
    const op = upstreamOp(journal.upstream, upstream.ops + effects.length + 1);
    listed.set(key, { ...each, next: { kind: "asked", op } });
    const owner = { kind: "listed", upstream: journal.upstream, key } as const;
    const { address, port } = each.member;
    const { timeoutMs } = check;
    effects.push({ kind: "probe", op, owner, address, port, question: questionOf(check), timeoutMs });
  }
  if (effects.length === 0) return { upstream, effects };
  return { upstream: { ...upstream, listed, ops: upstream.ops + effects.length }, effects };
}

function isAnyDue(upstream: Upstream, nowMs: number): boolean {
  const atMs = listedWakeAtMs(upstream);
  return atMs !== null && atMs <= nowMs;
}

/** When somebody is to be asked next; null where nobody is. */
export function listedWakeAtMs({ listed, journal }: Upstream): number | null {
  let earliestMs: number | null = null;
  for (const { next, member } of listed.values()) {
    if (next.kind !== "due" || (earliestMs !== null && next.atMs >= earliestMs)) continue;
    if (journal.content.checks[member.targetId] !== undefined) earliestMs = next.atMs;
  }
  return earliestMs;
}

/** Counts an answer; one to an older question is dropped. */
export function listedAnswered(
  upstream: Upstream,
  key: string,
  op: OpId,
  answer: ProbeAnswer,
  nowMs: number,
): Upstream {
  const known = upstream.listed.get(key);
  if (known?.next.kind !== "asked" || known.next.op !== op) return upstream;
  const good = isGood(answer);
  const counted: ListedState = {
    ...known,
    goodRun: good ? known.goodRun + 1 : 0,
    badRun: good ? 0 : known.badRun + 1,
    next: nextProbe(nowMs),
  };
  const standing = standingAfter(counted, answer, nowMs);
  return { ...upstream, listed: new Map(upstream.listed).set(key, { ...counted, standing }) };
}

function standingAfter(
  { standing, goodRun, badRun }: ListedState,
  answer: ProbeAnswer,
  nowMs: number,
): Standing {
  const detail = describeAnswer(answer);
  switch (standing.kind) {
    case "well": {
      if (badRun < fallAnswers) return standing;
      const forgiven = nowMs - standing.sinceMs >= forgivenAfterMs;
      return { kind: "failing", falls: forgiven ? 1 : standing.falls + 1, detail };
    }
    case "failing": {
      const { falls } = standing;
      if (goodRun < riseAnswers) return standing;
      const untilMs = nowMs + holdMs(falls);
      return untilMs <= nowMs
        ? { kind: "well", sinceMs: nowMs, falls }
        : { ...standing, kind: "held", untilMs };
    }
    case "held": {
      const { falls } = standing;
      if (badRun > 0) return { kind: "failing", falls, detail };
      return nowMs >= standing.untilMs ? { kind: "well", sinceMs: nowMs, falls } : standing;
    }
  }
}

function holdMs(falls: number): number {
  return falls <= 1 ? 0 : Math.min(longestHoldMs, firstHoldMs * 2 ** (falls - 2));
}

function isSame(left: Member, right: Member): boolean {
  return left.targetId === right.targetId && left.address === right.address && left.port === right.port;
}
