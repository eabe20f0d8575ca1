import type { LedgerEvent } from "@siding/control-plane/ledger/event";
import type { Member } from "@siding/shared/command";
import type { HostId } from "@siding/shared/ids";
import type { Amount } from "@siding/shared/units";
import { hasBeenWell } from "../box/process.ts";
import type { ServiceEvidence } from "../evidence/service-evidence.ts";
import type { Truth } from "../truth.ts";
import type { JudgeMaker } from "./judge.ts";

/**
 * Rule 1: a revision that takes serving instances out leaves at least the service's minimum, and at least one, on every
 * edge, by whichever list its workers route now or may come to route. Unless a person has allowed downtime, or a restored
 * ledger says anew what was decided before.
 */
export const minimum: JudgeMaker = () => ({
  name: "minimum",
  rule: "rule 1",
  observe(fact, truth, evidence) {
    if (fact.kind !== "event" || fact.event.body.type !== "upstream-revised") return null;
    const service = evidence.serviceOf(fact.event.body);
    const { rollout } = service ?? {};
    if (!service || (rollout && !rollout.isFinished && rollout.allowsDowntime)) return null;
    if (service.isSaidAnew(fact.event.body.content.members)) return null;
    return judged(fact.event.body, truth, service);
  },
});

function judged(
  { content }: Extract<LedgerEvent["body"], { type: "upstream-revised" }>,
  truth: Truth,
  service: ServiceEvidence,
): string | null {
  const serving = (members: readonly Member[]) => members.filter((each) => isServing(each, truth, service));
  const edges = service.countedEdges();
  const taken = serving(service.wanted.members).filter(
    ({ hostId }) =>
      !content.members.some((each) => each.hostId === hostId) &&
      !(edges.length > 0 && edges.every((edgeId) => isEjected(service, edgeId, hostId))),
  );
  if (taken.length === 0) return null;
  const least = Math.max(1, leastOf(service.spec.capacity.minServing, service.base));
  for (const { where, members } of [
    { where: "the ledger", members: content.members },
    ...onEdges(truth, service),
  ]) {
    const left = serving(members).length;
    if (left >= least) continue;
    const who = taken.map(({ hostId }) => hostId).join(", ");
    return `taking out ${who} leaves ${left} serving by ${where}; the minimum is ${least} of ${service.base}`;
  }
  return null;
}

function onEdges(truth: Truth, service: ServiceEvidence) {
  return service.countedEdges().flatMap((edgeId) => {
    const routed = truth.listsOf(edgeId, service.name);
    // An edge whose nginx is down comes back with what it confirmed.
    const confirmed = service.edge(edgeId).confirmed;
    const newest = Math.max(confirmed - 1, ...routed.map(({ revision }) => revision));
    const lists = [
      ...routed.map((list) => service.lists.get(list.revision) ?? list.members),
      ...service.listsAfter(newest),
    ];
    return lists.map((members) => ({
      where: `edge ${edgeId}`,
      members: members.filter(({ hostId }) => !isEjected(service, edgeId, hostId)),
    }));
  });
}

/** As it was said: an ejection that nobody has heard of yet is nobody's mistake. */
function isEjected(service: ServiceEvidence, edgeId: HostId, hostId: HostId): boolean {
  return service.edge(edgeId).ejected.some((each) => each.hostId === hostId);
}

/** As far as anybody could know: a death that nobody has reported yet is nobody's mistake, our own stop is. */
function isServing({ hostId, targetId }: Member, truth: Truth, service: ServiceEvidence): boolean {
  if (!service.instance(hostId)?.isSaidToServe(targetId)) return false;
  const process = truth.processOf(hostId, service.name);
  if (process === null || truth.isCloned(hostId)) return true;
  return !process.stopping && (process.afterFault || hasBeenWell(process, truth.nowMs));
}

/** A percentage asks for the next whole host, but one below 100 leaves at least one to move. */
function leastOf(amount: Amount, base: number): number {
  if (amount.kind === "count") return amount.count;
  const thousandths = Math.round(amount.percent * 1_000) * base;
  const whole = Math.floor(thousandths / 100_000) + (thousandths % 100_000 === 0 ? 0 : 1);
  return amount.percent === 100 ? base : Math.max(0, Math.min(whole, base - 1));
}
