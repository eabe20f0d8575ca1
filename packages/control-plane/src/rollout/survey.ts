import type { HostId } from "@siding/shared/ids";
import type { HostPhase } from "@siding/shared/phases";
import type { ServiceSpec } from "@siding/shared/spec";
import type { Target } from "@siding/shared/target";
import { entryOf, isNamedIn, replacedSince, withEntries } from "./by-host.ts";
import { type Due, dueOf } from "./due.ts";
import { phaseOf } from "./phase.ts";
import type { PlannedHost } from "./plan.ts";
import { goalOf, type Position, positionOf } from "./position.ts";
import type { Course, RolloutRecord } from "./record.ts";
import { type HostView, hostIn, type Snapshot } from "./snapshot.ts";

/** Everything that the steps of `advance` look at, worked out once per decision. */
export interface Survey {
  readonly rollout: RolloutRecord;
  readonly snapshot: Snapshot;
  readonly nowMs: number;
  readonly hosts: readonly HostSurvey[];
  /** Of whom there may be something to do or to say. All others rest: see {@link isResting}. */
  readonly awake: readonly HostSurvey[];
  /** Hosts that this plan has taken in hand and not settled. */
  readonly going: readonly HostSurvey[];
  readonly groups: Groups;
}

export interface HostSurvey {
  readonly hostId: HostId;
  readonly planned: PlannedHost;
  readonly course: Course;
  readonly host: HostView | undefined;
  readonly goal: Target | null;
  readonly position: Position;
  /** When the step in hand is overdue, and who owes it; null where nothing is owed. */
  readonly due: Due | null;
  /** The phase that people see, and whether that is on record. */
  readonly phase: HostPhase;
  readonly isPhaseKnown: boolean;
  /** Settled on a target, and in no list: only a ledger that was restored from a backup has such a host. */
  readonly isAdrift: boolean;
}

/** The newest survey of each service, by its spec. Nearly all of it holds for the next decision, too. */
const newest = new WeakMap<ServiceSpec, Survey>();

/**
 * What is known of each host is worked out anew only where something that it depends on is another object, or the whole
 * rollout is concerned: a fleet is large, and what happened since the last decision concerns a few.
 */
export function surveyOf(rollout: RolloutRecord, snapshot: Snapshot, nowMs: number): Survey {
  const before = newest.get(snapshot.spec);
  const outdated = before && outdatedSince(before, rollout, snapshot);
  const survey =
    before && outdated
      ? surveyFrom(before, outdated, { rollout, snapshot, nowMs })
      : surveyWith({ rollout, snapshot, nowMs }, surveyHosts(rollout.plan.hosts, rollout, snapshot));
  newest.set(snapshot.spec, survey);
  return survey;
}

type Occasion = Pick<Survey, "rollout" | "snapshot" | "nowMs">;

/** The hosts whose survey may be another one; null where that may be anybody's. */
function outdatedSince(
  { rollout: before, snapshot: seen, going }: Survey,
  rollout: RolloutRecord,
  snapshot: Snapshot,
): readonly PlannedHost[] | null {
  const isSameWay =
    before.id === rollout.id &&
    before.to === rollout.to &&
    before.plan.hosts === rollout.plan.hosts &&
    before.resumedAtMs === rollout.resumedAtMs &&
    seen.hearingSinceMs === snapshot.hearingSinceMs &&
    seen.upstream.content.members === snapshot.upstream.content.members;
  if (!isSameWay) return null;
  const records = replacedSince(before.hosts, rollout.hosts);
  const views = replacedSince(seen.hosts, snapshot.hosts);
  if (records === null || views === null) return null;
  // Where a host in hand stands is seen from the edges; nobody else's place depends on them.
  const isSameEdge = seen.upstream === snapshot.upstream && seen.edges === snapshot.edges;
  const inHand = isSameEdge ? [] : going.map(({ hostId }) => hostId);
  return [...new Set([...records, ...views, ...inHand])].flatMap(
    (hostId) => entryOf(rollout.plan.hosts, hostId) ?? [],
  );
}

function surveyFrom(before: Survey, outdated: readonly PlannedHost[], occasion: Occasion): Survey {
  if (outdated.length === 0) return { ...before, ...occasion };
  const fresh = surveyHosts(outdated, occasion.rollout, occasion.snapshot);
  const hosts = withEntries(before.hosts, fresh);
  const isRegrouped = fresh.some((host) => !isInSameGroups(host, entryOf(before.hosts, host.hostId)));
  return surveyWith(occasion, hosts, isRegrouped ? groupsOf(hosts) : before.groups);
}

function surveyWith(occasion: Occasion, hosts: readonly HostSurvey[], groups = groupsOf(hosts)): Survey {
  const at = (places: readonly number[]) => places.flatMap((place) => hosts[place] ?? []);
  return { ...occasion, hosts, groups, awake: at(groups.awake), going: at(groups.going) };
}

function surveyHosts(
  planned: readonly PlannedHost[],
  rollout: RolloutRecord,
  snapshot: Snapshot,
): readonly HostSurvey[] {
  return planned.map((each) => surveyHost(each, rollout, snapshot));
}

function surveyHost(planned: PlannedHost, rollout: RolloutRecord, snapshot: Snapshot): HostSurvey {
  const { hostId } = planned;
  const host = hostIn(snapshot, hostId);
  const progress = entryOf(rollout.hosts, hostId);
  const course = progress?.course ?? { kind: "planned" };
  const position = positionOf(rollout, snapshot, planned, host);
  const due = dueOf(rollout, snapshot, position, host);
  const phase = phaseOf(rollout, { planned, course, host, position });
  const isAdrift =
    course.kind === "settled" && course.on !== null && !isNamedIn(snapshot.upstream.content.members, hostId);
  const goal = goalOf(snapshot, planned, course, host);
  const isPhaseKnown = progress?.phase === phase;
  return { hostId, planned, course, host, goal, position, due, phase, isPhaseKnown, isAdrift };
}

/** Places of hosts in the plan, in order. */
interface Groups {
  readonly awake: readonly number[];
  readonly going: readonly number[];
  readonly planned: readonly number[];
  readonly adrift: readonly number[];
}

function groupsOf(hosts: readonly HostSurvey[]): Groups {
  const groups = {
    awake: [] as number[],
    going: [] as number[],
    planned: [] as number[],
    adrift: [] as number[],
  };
  for (const [place, host] of hosts.entries()) {
    if (!isResting(host)) groups.awake.push(place);
    if (host.course.kind === "going") groups.going.push(place);
    if (host.course.kind === "planned") groups.planned.push(place);
    if (host.isAdrift) groups.adrift.push(place);
  }
  return groups;
}

function isInSameGroups(host: HostSurvey, before: HostSurvey | undefined): boolean {
  return (
    host.course.kind === before?.course.kind &&
    host.isAdrift === before.isAdrift &&
    isResting(host) === isResting(before)
  );
}

/**
 * Settled, or staged and waiting for its batch, and on record as such: no step and no reason to wait comes of it. It is
 * passed over in every loop but those that plan.
 */
function isResting({ position, due, phase, isPhaseKnown }: HostSurvey): boolean {
  if (!isPhaseKnown || due !== null) return false;
  return position.kind === "settled" || (position.kind === "idle" && phase === "staged");
}

export function isOverdue(survey: Survey, host: HostSurvey): boolean {
  return host.due !== null && survey.nowMs >= host.due.atMs && !survey.snapshot.blind;
}

/** Going, and out of the ledger's list: what capacity misses. */
export function outOfTraffic(survey: Survey): readonly HostSurvey[] {
  return survey.going.filter(
    ({ position }) =>
      position.kind !== "joining" && position.kind !== "serving" && position.kind !== "listed",
  );
}

export function stillPlanned({ hosts, groups }: Survey): readonly HostSurvey[] {
  return groups.planned.flatMap((place) => hosts[place] ?? []);
}

/** What the ledger lists the host with; null where it does not, or that target is known by its id alone. */
export function listedTarget({ rollout, snapshot }: Survey, { planned, host }: HostSurvey): Target | null {
  const member = entryOf(snapshot.upstream.content.members, planned.hostId);
  const known = [planned.from, rollout.to, host?.instance.target];
  return known.find((target) => target?.id === member?.targetId) ?? null;
}
