import type { Command } from "@siding/shared/command";
import type { HostId } from "@siding/shared/ids";
import { stateDigest } from "@siding/shared/state-digest";
import type { BeatRecord, LiveFleet } from "../fleet/live.ts";
import { ageOf, replacedIn } from "../ledger/record-map.ts";
import { emptyHost, type HostRecord, type LedgerState } from "../ledger/state.ts";
import { envelope, type Stamp } from "./envelope.ts";

/** A host that has not answered everything that it should have heard. */
interface Unanswered {
  readonly hostId: HostId;
  readonly commands: readonly Command[];
}

/** Who had not answered when records and beats were of these ages. */
interface Kept {
  readonly stamp: Stamp;
  readonly hostsAge: number;
  readonly beats: LiveFleet["beats"];
  readonly beatsAge: number;
  readonly unanswered: ReadonlyMap<HostId, Unanswered>;
}

const kept = new WeakMap<LedgerState["hosts"], Kept>();

/**
 * The hosts that have something to answer, those that the ledger knows first, in the order in which it came to know them.
 * Nearly all of a fleet has answered: only whose record or beat is another is looked at again.
 */
export function unansweredHosts(state: LedgerState, live: LiveFleet, stamp: Stamp): readonly Unanswered[] {
  const { hosts } = state;
  const { beats } = live;
  const known = kept.get(hosts);
  const replaced = known && replacedSince(known, state, live, stamp);
  const unanswered = known && replaced ? new Map(known.unanswered) : new Map<HostId, Unanswered>();
  for (const hostId of replaced ?? [...hosts.keys(), ...beats.keys()]) {
    const commands = commandsTo(hostId, state, live, stamp);
    if (commands.length > 0) unanswered.set(hostId, { hostId, commands });
    else unanswered.delete(hostId);
  }
  kept.set(hosts, { stamp, hostsAge: hosts.age, beats, beatsAge: ageOf(beats), unanswered });
  return inOrder(state, live, [...unanswered.values()]);
}

/** Null where nobody knows. */
function replacedSince(
  known: Kept,
  { hosts }: LedgerState,
  { beats }: LiveFleet,
  { epoch, controlPlaneId }: Stamp,
): ReadonlySet<HostId> | null {
  const isSame = known.stamp.epoch === epoch && known.stamp.controlPlaneId === controlPlaneId;
  if (!isSame || known.beats !== beats) return null;
  const [records, sounds] = [hosts.replacedSince(known.hostsAge), replacedIn(beats, known.beatsAge)];
  return records && sounds && new Set<HostId>([...records, ...sounds]);
}

/** Of a host that beats and has never reported too: its first report came before we were there to hear it. */
function commandsTo(
  hostId: HostId,
  { hosts }: LedgerState,
  live: LiveFleet,
  stamp: Stamp,
): readonly Command[] {
  const host = hosts.get(hostId) ?? emptyHost(hostId);
  return [...instanceCommands(host, stamp), ...syncs(host, live, stamp)];
}

function inOrder(
  { hosts }: LedgerState,
  { beats }: LiveFleet,
  unanswered: readonly Unanswered[],
): readonly Unanswered[] {
  if (unanswered.length < 2) return unanswered;
  const places = placesIn(hosts);
  const isStranger = ({ hostId }: Unanswered) => !places.has(hostId);
  const heard = unanswered.some(isStranger) ? [...beats.keys()] : [];
  const placeOf = ({ hostId }: Unanswered) => places.get(hostId) ?? hosts.size + heard.indexOf(hostId);
  const placed = unanswered.map((each) => ({ each, place: placeOf(each) }));
  return placed.sort((left, right) => left.place - right.place).map(({ each }) => each);
}

/** Nobody is ever struck off: only a new host takes a place. */
const places = new WeakMap<LedgerState["hosts"], ReadonlyMap<HostId, number>>();

function placesIn(hosts: LedgerState["hosts"]): ReadonlyMap<HostId, number> {
  const known = places.get(hosts);
  if (known?.size === hosts.size) return known;
  const counted = new Map([...hosts.keys()].map((hostId, place) => [hostId, place]));
  places.set(hosts, counted);
  return counted;
}

/** Commands that no report has acknowledged. One that is running is the agent's to finish; its silence is shown. */
function instanceCommands(host: HostRecord, stamp: Stamp): readonly Command[] {
  return Object.values(host.instances).flatMap(({ command, service, slot }): Command[] => {
    if (command?.status !== "issued") return [];
    const { commandId, revision, deadlineMs, body } = command;
    return [{ ...envelope(host, stamp, commandId, revision, deadlineMs), service, slot, ...body }];
  });
}

/**
 * Asks for the whole state, and for a beat, where the agent has not heard our epoch (nobody waits for its next beat
 * after our start), or where its beat shows that we missed something.
 */
function syncs(host: HostRecord, live: LiveFleet, stamp: Stamp): readonly Command[] {
  const beat = live.beats.get(host.hostId);
  const heard = host.toldEpoch === stamp.epoch;
  const missed = beat && (beat.incarnation !== host.incarnation || isBehind(host, beat));
  if (heard && !missed) return [];
  const incarnation = beat?.incarnation ?? host.incarnation;
  if (incarnation === null) return [];
  const commandId = `s${stamp.epoch}-${beat?.stateDigest.slice(7, 19) ?? "start"}`;
  return [{ ...envelope({ ...host, incarnation }, stamp, commandId, 0, 0), kind: "sync" }];
}

/** The beat knows of something that no report has told. What was reported since says nothing of that: the next beat will. */
function isBehind(host: HostRecord, { lastBeatMs, stateDigest: told }: BeatRecord): boolean {
  return lastBeatMs >= host.reportedAtMs && told !== digestOf(host);
}

/** A record is replaced when anything in it changes, so its digest is worked out once. */
const digests = new WeakMap<HostRecord, string>();

function digestOf(host: HostRecord): string {
  const known = digests.get(host);
  if (known !== undefined) return known;
  const instances = Object.values(host.instances).flatMap(({ report }) => report ?? []);
  const digest = stateDigest(instances, Object.values(host.upstreams));
  digests.set(host, digest);
  return digest;
}
