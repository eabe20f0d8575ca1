import type { Member, UpstreamContent, Watched } from "@siding/shared/command";
import { hasSameContent } from "@siding/shared/digest";
import { edgeCheckOf } from "@siding/shared/health";
import { type HostId, type TargetId, weightOf } from "@siding/shared/ids";
import type { WaitingReason } from "@siding/shared/phases";
import { portOf, type Target } from "@siding/shared/target";
import type { Action } from "./action.ts";
import { entriesOf, isNamedIn, replacedSince } from "./by-host.ts";
import { baseOf, judgeRevision, servingEverywhere } from "./capacity.ts";
import { type ClosedGate, closedGates, unknownGate } from "./gates.ts";
import { headroomRefusal } from "./headroom.ts";
import { isBudgetSpent } from "./record.ts";
import { holdsBatches, hookStart } from "./rollout-hook.ts";
import { countedEdges, hostIn, isListKnown, possibleLists, type Snapshot } from "./snapshot.ts";
import { type HostSurvey, isOverdue, outOfTraffic, type Survey, stillPlanned } from "./survey.ts";

/** Who leaves and who joins the upstream at this instant, and what keeps the next batch from leaving. */
export interface Membership {
  readonly actions: readonly Action[];
  readonly waiting: readonly WaitingReason[];
  readonly gates: readonly ClosedGate[];
}

/**
 * The next revision of the upstream. The batch that comes in and the next that goes out share one, where no gate stands
 * between; a batch joins when none of its hosts is still on the way, so that k batches cost k + 1 reloads.
 */
export function membershipOf(survey: Survey): Membership {
  const { snapshot } = survey;
  // Which of two agents that claim one id has said what is not known: it neither joins nor is waited for.
  const hand = outOfTraffic(survey).filter(({ host }) => !host?.conflict);
  const onTheWay = hand.filter((host) => host.position.kind !== "ready" && !isOverdue(survey, host));
  const ready = hand.filter((host) => host.position.kind === "ready");
  const next = onTheWay.length > 0 ? nothingNext : nextBatch(survey, ready);
  const joins = onTheWay.length > 0 || holdsApart(survey, next) ? [] : ready;
  const content = contentWith(survey, joins, next.leaving);
  const actions: Action[] = [...next.hook];
  if (next.started.length > 0) {
    const { id: rolloutId } = survey.rollout;
    actions.push({ type: "batch-started", rolloutId, hosts: [...next.started], planned: next.planned });
  }
  if (!hasSameContent(content, snapshot.upstream.content)) {
    const swaps = survey.rollout.plan.whole && joins.length > 0 && next.leaving.length > 0;
    const together = swaps ? countedEdges(snapshot).map(({ hostId }) => hostId) : [];
    actions.push({
      type: "upstream-revised",
      service: snapshot.service,
      content,
      ...(together.length > 0 ? { together } : {}),
    });
  }
  return { actions, waiting: next.waiting, gates: next.gates };
}

interface Next {
  /** Hosts whose batch starts. */
  readonly started: readonly HostId[];
  readonly planned: number;
  /** Hosts that leave the list: the batch and, before the first one, those that can't be commanded. */
  readonly leaving: readonly HostId[];
  /** What begins the hook before the first batch. */
  readonly hook: readonly Action[];
  readonly waiting: readonly WaitingReason[];
  readonly gates: readonly ClosedGate[];
}

const nothingNext: Next = { started: [], planned: 0, leaving: [], hook: [], waiting: [], gates: [] };

/** In-place keeps its first half detached until the second can leave in the same reload. */
function holdsApart(survey: Survey, next: Next): boolean {
  const { plan, intent } = survey.rollout;
  const swapsLater = plan.whole && plan.kind === "forward" && survey.groups.planned.length > 0;
  return swapsLater && next.started.length === 0 && (intent === "forward" || intent === "pause");
}

function nextBatch(survey: Survey, ready: readonly HostSurvey[]): Next {
  const { rollout, snapshot } = survey;
  const planned = stillPlanned(survey);
  const overdue = survey.going.some((host) => isOverdue(survey, host));
  if (planned.length === 0 || overdue || !mayStart(survey)) return nothingNext;
  const behind = edgeBehind(survey);
  if (behind) return { ...nothingNext, waiting: behind };
  const forward = rollout.plan.kind === "forward";
  if (forward && planned.some((host) => !isStaged(survey, host))) {
    // Who stages says so of itself; nobody is told to stage who has not been heard.
    const unknown = unknownGate(snapshot);
    return unknown ? { ...nothingNext, waiting: [unknown.reason] } : nothingNext;
  }
  const gates = closedGates(survey, forward);
  if (gates.length > 0) return { ...nothingNext, gates, waiting: gates.map((gate) => gate.reason) };
  if (forward && holdsBatches(rollout)) return { ...nothingNext, hook: hookStart(survey) };
  const waiting = new Set(planned.map((host) => host.planned.hostId));
  const batch = rollout.plan.batches.find((hosts) => hosts.some((hostId) => waiting.has(hostId))) ?? [];
  const open = batch.filter((hostId) => waiting.has(hostId));
  return largestThatFits(survey, ready, open);
}

/**
 * A host that comes in counts only where it is confirmed, so nobody leaves before every counted edge serves the whole
 * list: also those whose joining no host of this plan waits for, as after a rollback has replaced the plan. Null where
 * none is behind.
 */
function edgeBehind(survey: Survey): readonly WaitingReason[] | null {
  const { snapshot } = survey;
  const { members } = snapshot.upstream.content;
  const behind = countedEdges(snapshot).find(
    (edge) =>
      !isListKnown(snapshot, edge) ||
      possibleLists(snapshot, edge).some((list) => members.some(({ hostId }) => !isNamedIn(list, hostId))),
  );
  if (!behind) return null;
  if (survey.going.some((host) => host.position.kind === "joining")) return [];
  const message = `waits for ${behind.hostId} to serve with everybody that is listed`;
  return [{ code: "edge-confirm", message, hostId: behind.hostId }];
}

/** A pause lets no new batch start, but in-place counts as one batch: once begun it is brought to its end. */
export function mayStart(survey: Survey): boolean {
  const { intent, plan } = survey.rollout;
  if (intent === "forward") return plan.kind === "forward";
  if (intent === "rollback") return plan.kind === "rollback";
  const begun = plan.kind === "forward" && plan.whole && survey.going.length > 0;
  return intent === "pause" && begun && !isBudgetSpent(survey.rollout);
}

function isStaged(survey: Survey, host: HostSurvey): boolean {
  if (host.goal === null || host.planned.restart) return true;
  return host.host?.instance.staged.includes(survey.rollout.to.id) ?? false;
}

/** Takes the largest prefix of the batch that capacity allows; in-place takes all or nothing. */
function largestThatFits(survey: Survey, ready: readonly HostSurvey[], open: readonly HostId[]): Next {
  const { rollout, snapshot } = survey;
  const absent = listedAbsent(survey);
  const least = rollout.plan.whole ? open.length : 1;
  let refused: WaitingReason | null = null;
  for (let size = open.length; size >= least; size -= 1) {
    const started = open.slice(0, size);
    const leaving = [...absent, ...started];
    refused = capacityRefusal(survey, membersWith(survey, ready, leaving));
    if (!refused) return { ...nothingNext, started, planned: open.length, leaving };
  }
  const onlyAbsent =
    absent.length > 0 && judgeRevision(snapshot, membersWith(survey, ready, absent)).kind === "fits";
  return { ...nothingNext, leaving: onlyAbsent ? absent : [], waiting: refused ? [refused] : [] };
}

/** Hosts that could not be commanded when the plan was made are delisted before the first batch is updated. */
function listedAbsent({ rollout, snapshot }: Survey): readonly HostId[] {
  return snapshot.upstream.content.members
    .map((member) => member.hostId)
    .filter((hostId) => rollout.plan.absent.includes(hostId));
}

function capacityRefusal(survey: Survey, members: readonly Member[]): WaitingReason | null {
  const { snapshot, rollout } = survey;
  if (rollout.plan.allowsDowntime) return null;
  const verdict = judgeRevision(snapshot, members);
  if (verdict.kind === "short") {
    const message = `only ${verdict.serving} would go on serving, the service's minimum is ${verdict.minServing}; waits for capacity${ejections(snapshot)}`;
    return { code: "capacity", message };
  }
  const headroom = rollout.plan.kind === "forward" ? headroomRefusal(snapshot, members) : null;
  if (headroom) return headroom;
  const limit = rollout.plan.maxUnavailable;
  const serving = new Set(servingEverywhere(snapshot, members));
  const missing = baseOf(snapshot).filter((host) => !serving.has(host.hostId)).length;
  const takesAny = servingEverywhere(snapshot, snapshot.upstream.content.members).some(
    (hostId) => !serving.has(hostId),
  );
  if (limit === null || missing <= limit || !takesAny) return null;
  const message = `${missing} hosts would be unavailable, maxUnavailable is ${limit}; waits for those that are out`;
  return { code: "max-unavailable", message };
}

/** Who is missing because edges have ejected them, where that is so. */
function ejections(snapshot: Snapshot): string {
  const said = countedEdges(snapshot).flatMap(({ hostId: edge, ejected }) =>
    ejected.map(({ hostId, detail }) => `${edge} has ejected ${hostId} (${detail})`),
  );
  return said.length === 0 ? "" : `; ${said.join(", ")}`;
}

function membersWith(
  survey: Survey,
  joins: readonly HostSurvey[],
  leaving: readonly HostId[],
): readonly Member[] {
  if (joins.length === 0 && leaving.length === 0) return standingMembers(survey.snapshot);
  const gone = new Set(leaving);
  const staying = survey.snapshot.upstream.content.members.filter((member) => !gone.has(member.hostId));
  const joined = joins.flatMap((host) => memberOf(host, host.goal) ?? []);
  return inOrder([...staying, ...joined].map((member) => weighted(survey.snapshot, member)));
}

/** Lists by the list that they were made from, and the views by which they are right. */
const standings = new WeakMap<readonly Member[], Pick<Snapshot, "hosts"> & { members: readonly Member[] }>();

/**
 * Where nobody joins or leaves, the list as it stands: the same object, as every decision asks for it. Only a label can
 * make it another one.
 */
function standingMembers(snapshot: Snapshot): readonly Member[] {
  const { hosts } = snapshot;
  const listed = snapshot.upstream.content.members;
  const known = standings.get(listed);
  const replaced = known ? replacedSince(known.hosts, hosts) : null;
  const isWeighted = (member: Member) => weighted(snapshot, member) === member;
  const isStill = known && replaced?.every((hostId) => entriesOf(known.members, hostId).every(isWeighted));
  const members = isStill ? known.members : inOrder(listed.map((member) => weighted(snapshot, member)));
  const standing = hasSameContent(members, listed) ? listed : members;
  standings.set(listed, { hosts, members: standing });
  return standing;
}

function inOrder(members: readonly Member[]): readonly Member[] {
  return members.toSorted((left, right) => (left.hostId < right.hostId ? -1 : 1));
}

/** As its host's label says now; 1 goes without saying. */
function weighted(snapshot: Snapshot, member: Member): Member {
  const weight = weightOf(hostIn(snapshot, member.hostId)?.labels ?? {});
  if (weight === (member.weight ?? 1)) return member;
  const { weight: _, ...rest } = member;
  return weight === 1 ? rest : { ...rest, weight };
}

function memberOf(host: HostSurvey, target: Target | null): Member | null {
  const { hostId, slot } = host.planned;
  const address = host.host?.address;
  const port = target && portOf(target.spec.ports, slot);
  return target && address && port ? { hostId, slot, targetId: target.id, address, port } : null;
}

function contentWith(
  survey: Survey,
  joins: readonly HostSurvey[],
  leaving: readonly HostId[],
): UpstreamContent {
  const { snapshot } = survey;
  const members = membersWith(survey, joins, leaving);
  const watched = outOfTraffic(survey).filter((host) => !joins.includes(host));
  const watch = watched.flatMap((host) => watchOf(host) ?? []);
  return {
    ...snapshot.upstream.content,
    members: members as Member[],
    watch,
    checks: checksOf(survey, members, watch),
    balance: snapshot.spec.edge.balance,
  };
}

/** How each target that is listed or watched is asked; what is known of one that stays is kept. */
function checksOf(
  survey: Survey,
  members: readonly Member[],
  watch: readonly Watched[],
): UpstreamContent["checks"] {
  const { snapshot } = survey;
  const wanted = new Set([...targetsOf(members), ...watch.map(({ targetId }) => targetId)]);
  const checks: UpstreamContent["checks"] = {};
  for (const targetId of wanted) {
    const target = targetNamed(survey, targetId);
    const check = target ? edgeCheckOf(target.spec.health) : snapshot.upstream.content.checks[targetId];
    if (check !== undefined) checks[targetId] = check;
  }
  return checks;
}

/** A list is never changed in place. */
const targets = new WeakMap<readonly Member[], ReadonlySet<TargetId>>();

function targetsOf(members: readonly Member[]): ReadonlySet<TargetId> {
  const known = targets.get(members) ?? new Set(members.map(({ targetId }) => targetId));
  targets.set(members, known);
  return known;
}

function targetNamed({ rollout, snapshot, hosts }: Survey, targetId: TargetId): Target | null {
  if (rollout.to.id === targetId) return rollout.to;
  for (const { goal, planned } of hosts) {
    if (goal?.id === targetId) return goal;
    if (planned.from?.id === targetId) return planned.from;
  }
  return snapshot.hosts.find(({ instance }) => instance.target?.id === targetId)?.instance.target ?? null;
}

/** What the edges probe: every instance whose verification begins or has begun. */
function watchOf(host: HostSurvey): Watched | null {
  const attempt = attemptOf(host.position);
  const member = attempt === null ? null : memberOf(host, host.goal);
  return member && attempt !== null ? { ...member, attempt } : null;
}

function attemptOf(position: HostSurvey["position"]): number | null {
  if (position.kind === "started") return position.attempt;
  if (position.kind !== "verifying" && position.kind !== "probing" && position.kind !== "ready") return null;
  return position.command?.attempt ?? null;
}
