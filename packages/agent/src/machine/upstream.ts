import type { ApplyRevision } from "@siding/shared/command";
import type { UpstreamReport } from "@siding/shared/report";
import type { Result } from "@siding/shared/result";
import { laterThan, preparedOf } from "./candidate.ts";
import { backoffMs, complaintOf } from "./complaint.ts";
import type { Effect, OpId } from "./effect.ts";
import { ejectedReports, judge, sameKeys } from "./ejection.ts";
import type { ApplyFailure, ServedRevision } from "./event.ts";
import type { UpstreamJournal } from "./journal.ts";
import { list, nobodyListed, rememberEjected } from "./listed.ts";
import type { Upstream } from "./state.ts";
import { probeReports, upstreamOp, watch } from "./watch.ts";

/** An upstream whose newest accepted revision this incarnation has not confirmed yet. */
export function unconfirmed(journal: UpstreamJournal, nowMs: number): Upstream {
  return {
    journal,
    served: null,
    attempt: { kind: "due", atMs: nowMs, tries: 0 },
    heard: false,
    complaint: null,
    overdueAtMs: null,
    watched: watch(new Map(), journal.content, nowMs),
    listed: list(nobodyListed, journal.content, nowMs),
    ejectedAtMs: null,
    candidate: null,
    ops: 0,
  };
}

/** A newer revision was accepted; one that is being applied goes on and is followed by this one. */
export function acceptRevision(known: Upstream | undefined, command: ApplyRevision, nowMs: number): Upstream {
  const { commandId, revision, digest, content } = command;
  const { upstream } = content;
  const overdueAtMs = nowMs + command.deadlineMs;
  const journal = { upstream, commandId, revision, digest, content };
  if (known === undefined) {
    return { ...unconfirmed(journal, nowMs), overdueAtMs };
  }
  return {
    ...known,
    journal,
    attempt: known.attempt.kind === "asked" ? known.attempt : { kind: "due", atMs: nowMs, tries: 0 },
    complaint: null,
    overdueAtMs,
    watched: watch(known.watched, content, nowMs),
    listed: list(known.listed, content, nowMs),
    candidate: laterThan(revision, known.candidate),
  };
}

/** Hands the newest accepted revision to nginx. */
export function apply(upstream: Upstream, nowMs: number): { upstream: Upstream; effects: Effect[] } {
  const { attempt, journal, served } = upstream;
  if (attempt.kind !== "due") return { upstream, effects: [] };
  const { ejected } = judge(upstream.listed);
  const ejectedAtMs = sameKeys(ejected, served?.ejected ?? []) ? upstream.ejectedAtMs : nowMs;
  const ops = upstream.ops + 1;
  const op = upstreamOp(journal.upstream, ops);
  const { content, revision } = journal;
  return {
    upstream: {
      ...upstream,
      ops,
      ejectedAtMs,
      attempt: { kind: "asked", op, revision, tries: attempt.tries + 1 },
    },
    effects: [{ kind: "apply-upstream", op, content, revision, ejected }],
  };
}

/** nginx has answered. What it refused is not tried again; where it was in trouble it is, after a while. */
export function applied(
  upstream: Upstream,
  op: OpId,
  result: Result<ServedRevision, ApplyFailure>,
  nowMs: number,
): Upstream {
  const { attempt, journal } = upstream;
  if (attempt.kind !== "asked" || attempt.op !== op) return upstream;
  const newest = attempt.revision === journal.revision;
  const next: Upstream = {
    ...upstream,
    attempt: newest ? { kind: "settled" } : { kind: "due", atMs: nowMs, tries: 0 },
  };
  if (result.ok) {
    return { ...next, served: result.value, ...(newest ? { complaint: null, overdueAtMs: null } : {}) };
  }
  return newest ? notApplied(next, result.error, attempt.tries, nowMs) : next;
}

function notApplied(upstream: Upstream, failure: ApplyFailure, tries: number, nowMs: number): Upstream {
  const complaint = complaintOf(failure.kind, upstream.journal.revision, failure.message);
  switch (failure.kind) {
    case "refused":
      return { ...upstream, complaint, overdueAtMs: null };
    case "trouble":
      return { ...upstream, complaint, attempt: { kind: "due", atMs: nowMs + backoffMs(tries), tries } };
  }
}

/** The edge has started and says what it serves; only what it does not serve yet is applied. */
export function foundServed(upstream: Upstream, served: ServedRevision | undefined, nowMs: number): Upstream {
  if (served === undefined) return upstream;
  const { revision, digest } = upstream.journal;
  const newest = served.revision === revision && served.digest === digest;
  return {
    ...upstream,
    served,
    listed: rememberEjected(upstream.listed, served.ejected),
    complaint: null,
    attempt: newest ? { kind: "settled" } : { kind: "due", atMs: nowMs, tries: 0 },
  };
}

/** The newest revision is not confirmed in its time: that is said, and trying goes on. */
export function sayOverdue(upstream: Upstream, nowMs: number): Upstream {
  const { overdueAtMs, journal, complaint } = upstream;
  if (overdueAtMs === null || nowMs < overdueAtMs) return upstream;
  const why = complaint === null ? "nginx has not answered" : complaint.said.message;
  const message = `revision ${journal.revision} was not confirmed in its time; ${why}`;
  return { ...upstream, overdueAtMs: null, complaint: complaintOf("trouble", journal.revision, message) };
}

/** The edge itself is in trouble: what is accepted and not confirmed waits for it. */
export function sayEdgeTrouble(upstream: Upstream, message: string): Upstream {
  return { ...upstream, complaint: complaintOf("trouble", upstream.journal.revision, message) };
}

/** The edge works again: its trouble is over, and what was not confirmed meanwhile is tried once more. */
export function edgeBack(upstream: Upstream, nowMs: number): Upstream {
  const { served, journal, attempt } = upstream;
  if (served?.revision === journal.revision) return { ...upstream, complaint: null };
  return attempt.kind === "asked"
    ? upstream
    : { ...upstream, attempt: { kind: "due", atMs: nowMs, tries: 0 } };
}

export function upstreamReport(upstream: Upstream): UpstreamReport {
  const { journal, served, complaint } = upstream;
  return {
    upstream: journal.upstream,
    revision: journal.revision,
    prepared: preparedOf(upstream),
    serving: served && { revision: served.revision, digest: served.digest },
    refused: complaint?.kind === "refused" ? complaint.said : null,
    trouble: complaint?.kind === "trouble" ? complaint.said : null,
    generation: served?.generation ?? 0,
    reloads: served?.reloads ?? 0,
    turnoverMs: served?.turnoverMs ?? 0,
    ejections: served?.ejections ?? 0,
    ejected: ejectedReports(upstream),
    panic: judge(upstream.listed).panic,
    probes: probeReports(upstream),
  };
}
