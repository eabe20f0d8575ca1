import type { LedgerEvent } from "@siding/control-plane/ledger/event";
import type { Member } from "@siding/shared/command";
import type { HostId } from "@siding/shared/ids";
import type { Amount } from "@siding/shared/units";
import { hasBeenWell } from "../box/process.ts";
import type { Truth } from "../truth.ts";
import type { Evidence } from "./evidence.ts";
import type { JudgeMaker } from "./judge.ts";

/**
 * Rule 1: a revision that takes serving instances out leaves at least the service's minimum, and at least one, on every
 * edge, by whichever list its workers route now or may come to route.
 */
export const minimum: JudgeMaker = () => ({
  name: "minimum",
  rule: "rule 1",
  observe(fact, truth, evidence) {
    if (fact.kind !== "event" || fact.event.body.type !== "upstream-revised") return null;
    return judged(fact.event.body, truth, evidence);
  },
});

function judged(
  { content }: Extract<LedgerEvent["body"], { type: "upstream-revised" }>,
  truth: Truth,
  evidence: Evidence,
): string | null {
  const serving = (members: readonly Member[]) => members.filter((each) => isServing(each, truth, evidence));
  const edges = evidence.countedEdges();
  const taken = serving(evidence.wanted.members).filter(
    ({ hostId }) =>
      !content.members.some((each) => each.hostId === hostId) &&
      !(edges.length > 0 && edges.every((edgeId) => isEjected(evidence, edgeId, hostId))),
  );
  if (taken.length === 0 || !evidence.spec) return null;
  const least = Math.max(1, leastOf(evidence.spec.capacity.minServing, evidence.served.size));
  for (const { where, members } of [
    { where: "the ledger", members: content.members },
    ...onEdges(truth, evidence),
  ]) {
    const left = serving(members).length;
    if (left >= least) continue;
    const who = taken.map(({ hostId }) => hostId).join(", ");
    return `taking out ${who} leaves ${left} serving by ${where}; the minimum is ${least} of ${evidence.served.size}`;
  }
  return null;
}

function onEdges(truth: Truth, evidence: Evidence) {
  return evidence.countedEdges().flatMap((edgeId) => {
    const routed = truth.listsOf(edgeId);
    // An edge whose nginx is down comes back with what it confirmed.
    const confirmed = evidence.edges.get(edgeId)?.confirmed ?? 0;
    const newest = Math.max(confirmed - 1, ...routed.map(({ revision }) => revision));
    const lists = [
      ...routed.map((list) => evidence.lists.get(list.revision) ?? list.members),
      ...evidence.listsAfter(newest),
    ];
    return lists.map((members) => ({
      where: `edge ${edgeId}`,
      members: members.filter(({ hostId }) => !isEjected(evidence, edgeId, hostId)),
    }));
  });
}

/** As it was said: an ejection that nobody has heard of yet is nobody's mistake. */
function isEjected(evidence: Evidence, edgeId: HostId, hostId: HostId): boolean {
  return evidence.edges.get(edgeId)?.ejected.some((each) => each.hostId === hostId) ?? false;
}

/** As far as anybody could know: a death that nobody has reported yet is nobody's mistake, our own stop is. */
function isServing({ hostId, targetId }: Member, truth: Truth, evidence: Evidence): boolean {
  if (!evidence.host(hostId).isSaidToServe(targetId)) return false;
  const process = truth.processOf(hostId);
  if (process === null) return true;
  return !process.stopping && (process.afterFault || hasBeenWell(process, truth.nowMs));
}

/** A percentage asks for the next whole host, but one below 100 leaves at least one to move. */
function leastOf(amount: Amount, base: number): number {
  if (amount.kind === "count") return amount.count;
  const thousandths = Math.round(amount.percent * 1_000) * base;
  const whole = Math.floor(thousandths / 100_000) + (thousandths % 100_000 === 0 ? 0 : 1);
  return amount.percent === 100 ? base : Math.max(0, Math.min(whole, base - 1));
}
