import type { Command } from "@siding/shared/command";
import { defaults } from "@siding/shared/defaults";
import type { CommandId, ControlPlaneId } from "@siding/shared/ids";
import { protocolVersion } from "@siding/shared/message";
import { stateDigest } from "@siding/shared/state-digest";
import { type BeatRecord, hasConflict, type LiveFleet } from "../fleet/live.ts";
import { edgesOf } from "../fleet/snapshot.ts";
import { emptyHost, type HostRecord, type LedgerState } from "../ledger/state.ts";

/** Names the sender: an agent refuses an older epoch, and an equal one from another id. */
export interface Stamp {
  readonly epoch: number;
  readonly controlPlaneId: ControlPlaneId;
}

/** What was published when, and how often. Lost at a restart, which only means that everything is said again. */
export type SentLog = ReadonlyMap<string, { readonly atMs: number; readonly times: number }>;

export function emptySentLog(): SentLog {
  return new Map();
}

export interface Outgoing {
  readonly commands: readonly Command[];
  readonly sent: SentLog;
  /** When the next thing unanswered is to be said again. */
  readonly wakeAtMs: number | null;
}

/** Core NATS is at most once: what is not answered is said again, first soon, then once in five seconds. */
const firstRepeatMs = 250;
const longestRepeatMs = 5_000;

/**
 * Everything that an agent should have heard and has not answered. Only what is committed is ever published: it is
 * read from the ledger. Nothing goes to an id that two agents claim.
 */
export function outbox(
  state: LedgerState,
  live: LiveFleet,
  stamp: Stamp,
  sent: SentLog,
  nowMs: number,
): Outgoing {
  const unanswered = [...state.hosts.values(), ...strangers(state, live)]
    .filter((host) => !hasConflict(live, host.hostId, nowMs))
    .flatMap((host) => [...instanceCommands(host, stamp), ...syncs(host, live, stamp)])
    .concat(upstreamCommands(state, live, stamp, nowMs));
  return schedule(unanswered, sent, nowMs);
}

/** Hosts that beat and have never reported: their first report came before we were there to hear it. */
function strangers(state: LedgerState, live: LiveFleet): readonly HostRecord[] {
  return [...live.beats.keys()].filter((hostId) => !state.hosts.has(hostId)).map(emptyHost);
}

function schedule(unanswered: readonly Command[], sent: SentLog, nowMs: number): Outgoing {
  const next = new Map<string, { atMs: number; times: number }>();
  const commands: Command[] = [];
  let wakeAtMs: number | null = null;
  for (const command of unanswered) {
    const key = `${command.hostId}/${command.commandId}/${command.incarnation}`;
    const before = sent.get(key);
    const dueMs = before
      ? before.atMs + Math.min(firstRepeatMs * 2 ** (before.times - 1), longestRepeatMs)
      : nowMs;
    const due = nowMs >= dueMs;
    if (due) commands.push(command);
    const entry = due || !before ? { atMs: nowMs, times: (before?.times ?? 0) + 1 } : before;
    next.set(key, entry);
    const repeatMs = entry.atMs + Math.min(firstRepeatMs * 2 ** (entry.times - 1), longestRepeatMs);
    wakeAtMs = wakeAtMs === null ? repeatMs : Math.min(wakeAtMs, repeatMs);
  }
  return { commands, sent: next, wakeAtMs };
}

function envelope(host: HostRecord, stamp: Stamp, commandId: string, revision: number, deadlineMs: number) {
  return {
    v: protocolVersion,
    commandId: commandId as CommandId,
    hostId: host.hostId,
    epoch: stamp.epoch,
    controlPlaneId: stamp.controlPlaneId,
    incarnation: host.incarnation ?? ("" as NonNullable<HostRecord["incarnation"]>),
    revision,
    deadlineMs,
  } as const;
}

/** Commands that no report has acknowledged. One that is running is the agent's to finish; its silence is shown. */
function instanceCommands(host: HostRecord, stamp: Stamp): readonly Command[] {
  return Object.values(host.instances).flatMap(({ command, service, slot }): Command[] => {
    if (command?.status !== "issued") return [];
    const { commandId, revision, deadlineMs, body } = command;
    return [{ ...envelope(host, stamp, commandId, revision, deadlineMs), service, slot, ...body }];
  });
}

/** The newest revision, for every edge that has neither confirmed (one taken together: prepared) nor refused it. */
function upstreamCommands(
  state: LedgerState,
  live: LiveFleet,
  stamp: Stamp,
  nowMs: number,
): readonly Command[] {
  return [...state.services.values()].flatMap(({ spec }) => {
    const upstream = state.upstreams.get(spec.edge.upstream);
    if (!upstream) return [];
    const { revision, digest, content, swap } = upstream;
    const step = swap !== null && swap.committedAtMs === null ? "prepare" : "commit";
    return edgesOf(state, spec).flatMap((edge): Command[] => {
      const report = edge.upstreams[spec.edge.upstream];
      const done = step === "prepare" ? report?.prepared : report?.serving;
      const answered = done?.revision === revision || report?.refused?.revision === revision;
      // What a restored ledger said long ago is no news to it, whether or not its nginx took what came later.
      const isAhead = (report?.revision ?? 0) > revision;
      if (answered || isAhead || edge.incarnation === null || hasConflict(live, edge.hostId, nowMs))
        return [];
      const frame = envelope(
        edge,
        stamp,
        `${step.slice(0, 1)}${revision}`,
        revision,
        defaults.edgeDeadlineMs,
      );
      return [{ ...frame, kind: "apply-revision", step, digest, content }];
    });
  });
}

/**
 * Asks for the whole state, and for a beat, where the agent has not heard our epoch (nobody waits for its next beat
 * after our start), or where its beat shows that we missed something.
 */
function syncs(host: HostRecord, live: LiveFleet, stamp: Stamp): readonly Command[] {
  const beat = live.beats.get(host.hostId);
  const heard = host.facts?.epochSeen === stamp.epoch;
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
