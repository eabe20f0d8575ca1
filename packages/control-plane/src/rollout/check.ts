import type { Member } from "@siding/shared/command";
import type { HostId } from "@siding/shared/ids";
import type { Action, ActionOf } from "./action.ts";
import { entriesOf, entryOf, isNamedIn } from "./by-host.ts";
import type { RolloutRecord } from "./record.ts";
import type { EdgeView, HostView, Snapshot } from "./snapshot.ts";

/** A rule of design section 2 that a decision would break. */
export interface Violation {
  readonly rule: 1 | 2 | 3 | 4 | 6 | 8 | 9 | 10 | 11;
  readonly message: string;
}

/**
 * Judges a decision before it is committed. It shares types and the look-up by host with `advance`, and no logic: a
 * mistake there must not be excused by the same mistake here. So it counts again by itself, even where that reads as
 * repetition.
 */
export function check(
  rollout: RolloutRecord,
  snapshot: Snapshot,
  actions: readonly Action[],
): readonly Violation[] {
  const revised = actions.find((action) => action.type === "upstream-revised");
  const wanted = revised?.content.members ?? snapshot.upstream.content.members;
  return actions.flatMap((action) => checkAction(rollout, snapshot, wanted, action));
}

/** `wanted` is the list that stands after the whole decision. */
function checkAction(
  rollout: RolloutRecord,
  snapshot: Snapshot,
  wanted: readonly Member[],
  action: Action,
): readonly Violation[] {
  switch (action.type) {
    case "upstream-revised":
      return [...checkList(rollout, snapshot, action), ...checkHeard(snapshot)];
    case "command-issued":
      return [...checkStop(snapshot, wanted, action), ...checkOnce(rollout, action)];
    case "batch-started":
      return [
        ...checkSight(rollout, snapshot),
        ...checkBudget(rollout),
        ...checkConfirmed(snapshot, action),
        ...checkHookFirst(rollout),
      ];
    case "host-failed":
      return checkBlame(snapshot, action);
    case "intent-set":
      return checkSilenceIsNoFailure(action);
    case "status-changed":
      return action.status === "paused" ? checkRest(rollout, snapshot, wanted) : [];
    case "rollout-finished":
      return [...checkRest(rollout, snapshot, wanted), ...checkRolledBack(rollout, wanted, action)];
    case "rollout-planned":
    case "batch-finished":
    case "host-settled":
    case "rollout-hook-started":
    case "rollout-hook-ended":
    case "phase-changed":
      return [];
  }
}

/** Most revisions only watch somebody: the very list that stands takes nobody out and brings nobody in. */
function checkList(
  rollout: RolloutRecord,
  snapshot: Snapshot,
  action: ActionOf<"upstream-revised">,
): readonly Violation[] {
  if (action.content.members === snapshot.upstream.content.members) return [];
  return [
    ...checkMinimum(rollout, snapshot, action),
    ...checkVerified(snapshot, action),
    ...checkHolds(snapshot, action),
  ];
}

function edgesThatCount(snapshot: Snapshot): readonly EdgeView[] {
  const some = snapshot.edges.some((edge) => edge.counted);
  return snapshot.edges.filter((edge) => edge.counted || !some);
}

/** What an edge may be routing by: all that was sent from its last confirmation on. */
function listsOf(snapshot: Snapshot, edge: EdgeView): readonly (readonly Member[])[] {
  const lists: (readonly Member[])[] = [];
  for (const entry of snapshot.upstream.history) {
    if (entry.revision >= edge.confirmed) lists.push(entry.members);
  }
  return lists;
}

function isSaid(snapshot: Snapshot, revision: number): boolean {
  return snapshot.upstream.history.some((entry) => entry.revision === revision);
}

function runs(snapshot: Snapshot, member: Member): boolean {
  const host = entryOf(snapshot.hosts, member.hostId);
  return host?.instance.running === member.targetId && host.instance.health !== "bad";
}

/** Rule 5: what the edge has ejected is missing there, whatever its list says. */
function leavesOut(edge: EdgeView, member: Member): boolean {
  return edge.ejected.some(({ hostId, slot }) => hostId === member.hostId && slot === member.slot);
}

function names(list: readonly Member[], hostId: HostId): boolean {
  return isNamedIn(list, hostId);
}

/** Rule 1: serving never falls below the minimum through us, and the last good one is never taken. */
function checkMinimum(
  rollout: RolloutRecord,
  snapshot: Snapshot,
  action: ActionOf<"upstream-revised">,
): readonly Violation[] {
  if (rollout.plan.allowsDowntime) return [];
  const after = action.content.members;
  const edges = edgesThatCount(snapshot);
  const taken = snapshot.upstream.content.members.filter(
    (member) =>
      runs(snapshot, member) &&
      !names(after, member.hostId) &&
      (edges.length === 0 || !edges.every((edge) => leavesOut(edge, member))),
  );
  if (taken.length === 0) return [];
  const everServed = snapshot.hosts.filter(
    (host) => host.instance.target !== null && host.hold !== "removed",
  ).length;
  const least = Math.max(1, leastServing(snapshot, everServed));
  let lowest = after.filter((member) => runs(snapshot, member)).length;
  for (const edge of edges) {
    for (const list of [after, ...listsOf(snapshot, edge)]) {
      const count = list.filter((member) => runs(snapshot, member) && !leavesOut(edge, member)).length;
      if (count < lowest) lowest = count;
    }
  }
  if (lowest >= least) return [];
  const who = taken.map((member) => member.hostId).join(", ");
  return [
    { rule: 1, message: `taking out ${who} leaves ${lowest} serving on some edge; at least ${least} must` },
  ];
}

/** Rounds up, and below 100 % leaves one host to move: counted upwards, unlike the core's division. */
function leastServing(snapshot: Snapshot, everServed: number): number {
  const { minServing } = snapshot.spec.capacity;
  if (minServing.kind === "count") return minServing.count;
  let least = 0;
  while (least * 100 < minServing.percent * everServed - 1e-7) least += 1;
  return minServing.percent < 100 && least >= everServed ? Math.max(0, everServed - 1) : least;
}

/** Rule 2: an edge lists only what was verified, from that edge, on that target. */
function checkVerified(snapshot: Snapshot, action: ActionOf<"upstream-revised">): readonly Violation[] {
  const before = snapshot.upstream.content.members;
  return action.content.members.flatMap((member): readonly Violation[] => {
    const known = entriesOf(before, member.hostId).some(
      (old) => old.targetId === member.targetId && old.address === member.address,
    );
    if (known || neverLeft(snapshot, member)) return [];
    const host = entryOf(snapshot.hosts, member.hostId);
    const command = host?.instance.command;
    const byAgent =
      command?.kind === "verify" && command.status === "done" && command.targetId === member.targetId;
    const watched = snapshot.upstream.content.watch.find(
      (each) => each.hostId === member.hostId && each.attempt === command?.attempt,
    );
    const elsewhere = watched !== undefined && watched.address !== member.address;
    const blind = edgesThatCount(snapshot).filter(
      (edge) =>
        !edge.probes.some(
          (probe) =>
            probe.hostId === member.hostId && probe.attempt === command?.attempt && probe.state === "good",
        ),
    );
    if (byAgent && runs(snapshot, member) && blind.length === 0 && !elsewhere) return [];
    const missing = elsewhere
      ? `at ${member.address}`
      : byAgent
        ? `from ${blind.map((edge) => edge.hostId).join(", ") || "now"}`
        : "by its agent";
    return [
      { rule: 2, message: `${member.hostId} would be listed on ${member.targetId}, not verified ${missing}` },
    ];
  });
}

/** Delisted on paper, still routed to, never stopped: the old verification holds. */
function neverLeft(snapshot: Snapshot, member: Member): boolean {
  const host = entryOf(snapshot.hosts, member.hostId);
  const routed = edgesThatCount(snapshot).some((edge) =>
    listsOf(snapshot, edge).some((list) =>
      list.some(
        (old) =>
          old.hostId === member.hostId && old.targetId === member.targetId && old.address === member.address,
      ),
    ),
  );
  const seen = edgesThatCount(snapshot).every((edge) => !cameSince(snapshot, edge, member));
  return routed && seen && runs(snapshot, member) && host?.instance.drained === false;
}

/** The edge counts only since the newest list that names the member was replaced. */
function cameSince({ upstream }: Snapshot, edge: EdgeView, { hostId }: Member): boolean {
  const newest = upstream.history.findLastIndex((list) => names(list.members, hostId));
  const after = upstream.history[newest + 1];
  return after !== undefined && edge.countedSince > after.revision;
}

/** After a backup was restored an edge serves by a list that nobody here knows. */
function isLost(snapshot: Snapshot, { confirmed, isFromBackup }: EdgeView): boolean {
  return isFromBackup || (confirmed > 0 && !isSaid(snapshot, confirmed));
}

/** Rule 4: what an edge serves that a restored ledger has not heard is nobody's to replace. */
function checkHeard({ edges }: Snapshot): readonly Violation[] {
  const lost = edges.find(({ isFromBackup }) => isFromBackup);
  if (!lost) return [];
  return [
    { rule: 4, message: `a list would be said while edge ${lost.hostId} serves one that nobody knows` },
  ];
}

/** Rule 3: nothing is stopped, or drained, that an edge may route to; nothing is stopped undrained. */
function checkStop(
  snapshot: Snapshot,
  wanted: readonly Member[],
  action: ActionOf<"command-issued">,
): readonly Violation[] {
  const { kind } = action.body;
  if (kind === "stage" || kind === "verify" || kind === "rejoin" || kind === "hook") return [];
  const { hostId } = action;
  const edge = edgesThatCount(snapshot).find(
    (candidate) =>
      isLost(snapshot, candidate) || listsOf(snapshot, candidate).some((list) => names(list, hostId)),
  );
  if (edge)
    return [{ rule: 3, message: `${kind} of ${hostId} while edge ${edge.hostId} may still route to it` }];
  if (names(wanted, hostId)) return [{ rule: 3, message: `${kind} of ${hostId} while it is listed` }];
  const host = entryOf(snapshot.hosts, hostId);
  // What has served is started again by its agent: that nothing runs now is not for long.
  const mayRun = host?.instance.running !== null || host.instance.target !== null;
  const stops = kind !== "drain" && mayRun;
  return stops && !host?.instance.drained
    ? [{ rule: 3, message: `${kind} of ${hostId}, which is not drained` }]
    : [];
}

/** Rule 10: what is to be done once is not begun where it has been, and never after something has changed. */
function checkOnce(rollout: RolloutRecord, action: ActionOf<"command-issued">): readonly Violation[] {
  if (action.body.kind !== "hook") return [];
  const standing = rollout.beforeRollout?.kind ?? "none";
  if (standing === "due" && rollout.batches.length === 0) return [];
  const when = rollout.batches.length > 0 ? "after batches have begun" : `while it is ${standing}`;
  return [{ rule: 10, message: `hook ${action.body.hook} would be begun on ${action.hostId} ${when}` }];
}

/** Rule 10: nothing changes before what is to be done first. */
function checkHookFirst({ beforeRollout: hook, plan }: RolloutRecord): readonly Violation[] {
  if (hook === null || plan.kind !== "forward") return [];
  if (hook.kind === "done" || (hook.kind === "unknown" && hook.accepted)) return [];
  return [{ rule: 10, message: `a batch would start while hook beforeRollout is ${hook.kind}` }];
}

/** Rule 4: a host that comes in counts only where it is confirmed, so the next may not leave before. */
function checkConfirmed(snapshot: Snapshot, action: ActionOf<"batch-started">): readonly Violation[] {
  const taken = snapshot.upstream.content.members.filter(({ hostId }) => action.hosts.includes(hostId));
  if (!taken.some((member) => runs(snapshot, member))) return [];
  const { members } = snapshot.upstream.content;
  const behind = edgesThatCount(snapshot).find((edge) => {
    const lists = listsOf(snapshot, edge);
    return isLost(snapshot, edge) || lists.some((list) => members.some(({ hostId }) => !names(list, hostId)));
  });
  if (!behind) return [];
  return [
    { rule: 4, message: `a batch would leave before edge ${behind.hostId} serves the hosts that came in` },
  ];
}

/** Rule 6: who can't see takes nobody out. On the way back one silent host does not hold the others. */
function checkSight(rollout: RolloutRecord, snapshot: Snapshot): readonly Violation[] {
  if (snapshot.blind) return [{ rule: 6, message: "a batch would start while the control plane is blind" }];
  if (rollout.plan.kind !== "forward") return [];
  const unseen = snapshot.hosts.find(
    (host) =>
      host.liveness.kind !== "alive" &&
      !rollout.plan.absent.includes(host.hostId) &&
      (host.hold === null || snapshot.upstream.history.some((list) => names(list.members, host.hostId))),
  );
  if (!unseen) return [];
  return [{ rule: 6, message: `a batch would start while ${unseen.hostId} is ${unseen.liveness.kind}` }];
}

/** Rule 6: a failure is what somebody reported, never what nobody said. */
function checkBlame(snapshot: Snapshot, action: ActionOf<"host-failed">): readonly Violation[] {
  if (!action.counts) return [];
  const instance = entryOf(snapshot.hosts, action.hostId)?.instance;
  const reported =
    instance?.command?.status === "failed" || instance?.health === "bad" || instance?.running === null;
  const restarted = instance?.command?.kind === "verify" && instance.running !== instance.command.targetId;
  const probed = snapshot.edges.some((edge) =>
    edge.probes.some((probe) => probe.hostId === action.hostId && probe.state === "bad"),
  );
  if (!snapshot.blind && (reported || restarted || probed)) return [];
  return [{ rule: 6, message: `${action.hostId} would be counted as failed, and nobody reported that` }];
}

function checkSilenceIsNoFailure(action: ActionOf<"intent-set">): readonly Violation[] {
  const silent = action.cause?.code === "host-silent" || action.cause?.code === "edge-silent";
  return silent && (action.intent === "rollback" || action.intent === "stop")
    ? [{ rule: 6, message: `silence would start a ${action.intent}` }]
    : [];
}

/** Rule 8: what a person holds out of traffic no rollout brings back. */
function checkHolds(snapshot: Snapshot, action: ActionOf<"upstream-revised">): readonly Violation[] {
  const before = snapshot.upstream.content.members;
  const undone = snapshot.hosts.find(
    ({ hostId, hold }) => hold !== null && names(action.content.members, hostId) && !names(before, hostId),
  );
  if (!undone) return [];
  return [{ rule: 8, message: `${undone.hostId} would be listed, and it is ${undone.hold} by hand` }];
}

/** Rule 8: no rollout rests with a healthy instance out by our action. */
function checkRest(
  rollout: RolloutRecord,
  snapshot: Snapshot,
  wanted: readonly Member[],
): readonly Violation[] {
  // Who is in traffic is not known before every edge has said what it serves, so it can't be mended either.
  if (snapshot.edges.some(({ isFromBackup }) => isFromBackup)) return [];
  const forgotten = snapshot.hosts.find(
    (host) => isForgotten(rollout, host) && !names(wanted, host.hostId) && !isUnseen(snapshot, host),
  );
  if (!forgotten) return [];
  return [{ rule: 8, message: `${forgotten.hostId} is healthy and would be left out of traffic` }];
}

/** Well for its agent, and some edge has not seen it well: rule 2 asks for that word, so it is not our action that keeps it out. */
function isUnseen(snapshot: Snapshot, { hostId, instance: { command } }: HostView): boolean {
  if (command?.kind !== "verify" || command.status !== "done") return false;
  return edgesThatCount(snapshot).some(
    (edge) =>
      !edge.probes.some(
        (probe) => probe.hostId === hostId && probe.attempt === command.attempt && probe.state === "good",
      ),
  );
}

function isForgotten(rollout: RolloutRecord, host: HostView): boolean {
  const progress = entryOf(rollout.hosts, host.hostId);
  if (!progress || progress.batch === null || host.liveness.kind !== "alive" || host.conflict) return false;
  // Whoever is out, and in nobody's hand, was so before this ledger was restored: it is caught up with.
  if (progress.course.kind !== "going") return false;
  const { command, running, health } = host.instance;
  const working = command?.status === "issued" || command?.status === "running";
  return running !== null && health === "good" && !working;
}

/** Rule 9: after a rollback nobody serves what was rolled back, and nobody is missing. */
function checkRolledBack(
  rollout: RolloutRecord,
  wanted: readonly Member[],
  action: ActionOf<"rollout-finished">,
): readonly Violation[] {
  if (action.status !== "rolled-back") return [];
  const touched = rollout.hosts.filter((progress) => progress.batch !== null);
  return touched.flatMap((progress): readonly Violation[] => {
    const { hostId } = progress;
    const member = entryOf(wanted, hostId);
    if (member && (member.targetId !== rollout.to.id || progress.from?.id === rollout.to.id)) return [];
    // What came from nowhere and is in no list is back there.
    if (!member && progress.from === null) return [];
    const where = member ? "still on the new target" : `out of traffic (${progress.phase})`;
    return [{ rule: 9, message: `${hostId} is ${where}, and the rollout would end as rolled back` }];
  });
}

/** Rule 11: the failure budget counts over the whole rollout. */
function checkBudget(rollout: RolloutRecord): readonly Violation[] {
  const allowed = Math.max(rollout.maxFailures, rollout.acceptedFailures);
  if (rollout.plan.kind !== "forward" || rollout.failed.length <= allowed) return [];
  return [
    {
      rule: 11,
      message: `a batch would start after ${rollout.failed.length} failures; ${allowed} are allowed`,
    },
  ];
}
