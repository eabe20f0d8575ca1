import type { Member } from "@siding/shared/command";
import { hasSameContent } from "@siding/shared/digest";
import type { WaitingReason } from "@siding/shared/phases";
import { formatMs } from "@siding/shared/units";
import type { Action } from "./action.ts";
import { judgeRevision } from "./capacity.ts";
import { swapDeadlineMs } from "./limits.ts";
import { countedEdges, type EdgeView } from "./snapshot.ts";
import type { Survey } from "./survey.ts";

/**
 * In-place over several edges: all prepare the revision in which the halves change places, then all commit it. Between
 * the first and the last that serves it, clients meet both targets; a swap that only some edges carry out is undone.
 */
interface Swap {
  /** Counted edges that serve it. */
  readonly done: readonly EdgeView[];
  /** Counted edges that do not. */
  readonly open: readonly EdgeView[];
  readonly committedAtMs: number | null;
}

/** The swap under way; null where there is none, or every counted edge has carried it out. */
function openSwap({ snapshot }: Survey): Swap | null {
  const { swap, revision } = snapshot.upstream;
  if (swap === null) return null;
  const edges = countedEdges(snapshot);
  const open = edges.filter((edge) => edge.confirmed < revision);
  if (open.length === 0) return null;
  return { done: edges.filter((edge) => !open.includes(edge)), open, committedAtMs: swap.committedAtMs };
}

/** When a swap that was committed must be carried out everywhere; null where none is under way. */
export function swapDueMs(survey: Survey): number | null {
  const committedAtMs = openSwap(survey)?.committedAtMs ?? null;
  return committedAtMs === null ? null : committedAtMs + swapDeadlineMs;
}

/** Some edges have swapped and some have not, for too long: the rollout pauses, and the swap is undone. */
export function swapOverdue(survey: Survey): readonly Action[] | null {
  const { rollout, snapshot, nowMs } = survey;
  const swap = openSwap(survey);
  const dueMs = swapDueMs(survey);
  if (!swap || dueMs === null || nowMs < dueMs || swap.done.length === 0 || snapshot.blind) return null;
  if (rollout.intent !== "forward" && rollout.cause?.code !== "paused-by-person") return null;
  const way = swappedBackTo(survey) ? `${names(swap.done)} swaps back` : "the half that left is given back";
  const message = `${names(swap.done)} swapped the halves and ${names(swap.open)} did not within ${formatMs(swapDeadlineMs)}: ${way}`;
  return [
    {
      type: "intent-set",
      rolloutId: rollout.id,
      intent: "pause",
      cause: { code: "swap-incomplete", message },
    },
  ];
}

/**
 * Where the rollout turns back in the middle of a swap, the halves change places again before anything else: the half
 * that had left was not stopped, since some edge may still route to it.
 */
export function swappedBack(survey: Survey): readonly Action[] | null {
  const { rollout, snapshot } = survey;
  const { upstream, service } = snapshot;
  const onward = rollout.intent === "forward" || rollout.cause?.code === "paused-by-person";
  if (onward || rollout.plan.kind !== "forward" || !openSwap(survey)) return null;
  const members = swappedBackTo(survey);
  if (!members) return null;
  const content = { ...upstream.content, members: [...members] };
  return [{ type: "upstream-revised", service, content }];
}

/** The list from before the swap; null where it can't be said at once. */
function swappedBackTo({ snapshot }: Survey): readonly Member[] | null {
  const { content, history } = snapshot.upstream;
  // A swap that was refused is said again after a while: what stood before all of that is meant.
  const before = history.findLast(({ members }) => !hasSameContent(members, content.members));
  // Before a first deployment nobody served: there is nothing to go back to, and nothing is mixed.
  if (!before || judgeRevision(snapshot, before.members).kind !== "fits") return null;
  // An edge that counts only since then has never routed to the half that had left: it is given back step by step.
  const isNew = countedEdges(snapshot).some(({ countedSince }) => countedSince > before.revision);
  return isNew ? null : before.members;
}

/** Whom the swap waits for, for the person who asks. */
export function swapReasons(survey: Survey): readonly WaitingReason[] {
  const swap = openSwap(survey);
  if (!swap) return [];
  const { revision } = survey.snapshot.upstream;
  const committed = swap.committedAtMs !== null;
  const behind = committed ? swap.open : swap.open.filter((edge) => edge.prepared !== revision);
  const what = committed
    ? "swaps the halves, as every edge does now"
    : "prepares the swap; no edge carries it out before all have prepared it";
  return behind.map(({ hostId }) => ({ code: "edge-confirm", message: `${hostId} ${what}`, hostId }));
}

function names(edges: readonly EdgeView[]): string {
  return edges.map(({ hostId }) => hostId).join(", ") || "nobody";
}
