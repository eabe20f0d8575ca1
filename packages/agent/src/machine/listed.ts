import type { Member, UpstreamContent } from "@siding/shared/command";
import { describeAnswer, isGood } from "./answer.ts";
import { type Effect, type OpId, questionOf } from "./effect.ts";
import type { ProbeAnswer } from "./event.ts";
import { earliest } from "./instance.ts";
import { isDue } from "./probing.ts";
import type { ListedState, Standing, Upstream } from "./state.ts";
import { memberKey, upstreamOp } from "./watch.ts";
import { WideMap } from "./wide-map.ts";

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
  before: WideMap<ListedState>,
  content: UpstreamContent,
  nowMs: number,
): WideMap<ListedState> {
  const listed = content.members.map((member) => {
    const key = memberKey(member);
    const known = before.get(key);
    const isKnown = known !== undefined && isSame(known.member, member);
    return { key, state: isKnown ? known : joining(member, nowMs), isKnown };
  });
  // Most revisions only watch somebody else.
  if (listed.length === before.size && listed.every(({ isKnown }) => isKnown)) return before;
  return WideMap.of(listed.map(({ key, state }) => [key, state]));
}

export const nobodyListed: WideMap<ListedState> = WideMap.of([]);

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
  listed: WideMap<ListedState>,
  ejected: readonly string[],
): WideMap<ListedState> {
  if (ejected.length === 0) return listed;
  const standing: Standing = { kind: "failing", falls: 1, detail: "ejected before this agent started" };
  return listed.map((each, key) => (ejected.includes(key) ? { ...each, standing } : each));
}

/** Asks whoever is due. A member that is delisted by the newest accepted revision is not asked any more. */
export function askListed(upstream: Upstream, nowMs: number): { upstream: Upstream; effects: Effect[] } {
  const { journal } = upstream;
  if (!isAnyDue(upstream, nowMs)) return { upstream, effects: [] };
  const effects: Effect[] = [];
  const listed = upstream.listed.map((each, key): ListedState => {
    const check = journal.content.checks[each.member.targetId];
    if (check === undefined || !isDue(each.next, nowMs)) return each;
    const op = upstreamOp(journal.upstream, upstream.ops + effects.length + 1);
    const owner = { kind: "listed", upstream: journal.upstream, key } as const;
    const { address, port } = each.member;
    const { timeoutMs } = check;
    effects.push({ kind: "probe", op, owner, address, port, question: questionOf(check), timeoutMs });
    return { ...each, next: { kind: "asked", op } };
  });
  if (effects.length === 0) return { upstream, effects };
  return { upstream: { ...upstream, listed, ops: upstream.ops + effects.length }, effects };
}

function isAnyDue(upstream: Upstream, nowMs: number): boolean {
  const atMs = listedWakeAtMs(upstream);
  return atMs !== null && atMs <= nowMs;
}

/** When somebody is to be asked next; null where nobody is. */
export function listedWakeAtMs({ listed, journal }: Upstream): number | null {
  const { checks } = journal.content;
  return earliest(listed.parts.map((part) => partWakeAtMs(part, checks)));
}

type Checks = UpstreamContent["checks"];

/** An answer concerns one part; of the others this is known. */
const partWakes = new WeakMap<
  readonly ListedState[],
  { readonly checks: Checks; readonly atMs: number | null }
>();

function partWakeAtMs(part: readonly ListedState[], checks: Checks): number | null {
  const known = partWakes.get(part);
  if (known?.checks === checks) return known.atMs;
  const due = part.map(({ next, member: { targetId } }) =>
    next.kind === "due" && checks[targetId] !== undefined ? next.atMs : null,
  );
  const atMs = earliest(due);
  partWakes.set(part, { checks, atMs });
  return atMs;
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
  return { ...upstream, listed: upstream.listed.with(key, { ...counted, standing }) };
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
