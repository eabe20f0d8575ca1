import type { Command } from "@siding/shared/command";
import { defaults } from "@siding/shared/defaults";
import { hasConflict, type LiveFleet } from "../fleet/live.ts";
import { edgesOf } from "../fleet/snapshot.ts";
import type { LedgerState } from "../ledger/state.ts";
import { envelope, type Stamp } from "./envelope.ts";
import { unansweredHosts } from "./unanswered.ts";

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
  const unanswered = unansweredHosts(state, live, stamp)
    .filter(({ hostId }) => !hasConflict(live, hostId, nowMs))
    .flatMap(({ commands }) => commands)
    .concat(upstreamCommands(state, live, stamp, nowMs));
  return schedule(unanswered, sent, nowMs);
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
