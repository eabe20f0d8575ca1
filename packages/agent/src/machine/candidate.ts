import type { ApplyRevision } from "@siding/shared/command";
import type { UpstreamReport } from "@siding/shared/report";
import type { Result } from "@siding/shared/result";
import { backoffMs, complaintOf } from "./complaint.ts";
import type { Effect, OpId } from "./effect.ts";
import { judge } from "./ejection.ts";
import type { ApplyFailure } from "./event.ts";
import { list } from "./listed.ts";
import type { Candidate, Upstream } from "./state.ts";
import { upstreamOp } from "./watch.ts";

/** A revision is to be tested; what is accepted and served goes on meanwhile. The newest one wins. */
export function beginPrepare(known: Upstream, command: ApplyRevision, nowMs: number): Upstream {
  const { revision, digest, content } = command;
  const { candidate } = known;
  if (candidate !== null && candidate.revision >= revision) return known;
  const stage = { kind: "due", atMs: nowMs, tries: 0 } as const;
  return { ...known, candidate: { revision, digest, content, stage } };
}

/** The candidate was given up; a later one is not concerned. */
export function discard(known: Upstream, revision: number): Upstream {
  return { ...known, candidate: laterThan(revision, known.candidate) };
}

/** A revision that is accepted ends every candidate that is not newer. */
export function laterThan(revision: number, candidate: Candidate | null): Candidate | null {
  return candidate !== null && candidate.revision > revision ? candidate : null;
}

/** Has nginx test the candidate, just as it would serve it now. */
export function prepare(upstream: Upstream, nowMs: number): { upstream: Upstream; effects: Effect[] } {
  const { candidate } = upstream;
  if (candidate?.stage.kind !== "due" || candidate.stage.atMs > nowMs) return { upstream, effects: [] };
  const ops = upstream.ops + 1;
  const op = upstreamOp(upstream.journal.upstream, ops);
  const { content, stage } = candidate;
  const { ejected } = judge(list(upstream.listed, content, nowMs));
  return {
    upstream: {
      ...upstream,
      ops,
      candidate: { ...candidate, stage: { kind: "asked", op, tries: stage.tries + 1 } },
    },
    effects: [{ kind: "prepare-upstream", op, content, ejected }],
  };
}

export function prepareWakeAtMs({ candidate }: Upstream): number | null {
  return candidate?.stage.kind === "due" ? candidate.stage.atMs : null;
}

/** nginx has tested it. What it refuses is not tried again; where it was in trouble it is, after a while. */
export function prepared(
  upstream: Upstream,
  op: OpId,
  result: Result<null, ApplyFailure>,
  nowMs: number,
): Upstream {
  const { candidate } = upstream;
  if (candidate?.stage.kind !== "asked" || candidate.stage.op !== op) return upstream;
  const { tries } = candidate.stage;
  const staged = (stage: Candidate["stage"]): Upstream => ({
    ...upstream,
    candidate: { ...candidate, stage },
  });
  if (result.ok) return { ...staged({ kind: "prepared" }), complaint: null };
  const { kind, message } = result.error;
  const complaint = complaintOf(kind, candidate.revision, message);
  // Forgotten, so that another command to prepare it asks nginx anew.
  if (kind === "refused") return { ...upstream, candidate: null, complaint };
  return { ...staged({ kind: "due", atMs: nowMs + backoffMs(tries), tries }), complaint };
}

export function preparedOf({ candidate }: Upstream): UpstreamReport["prepared"] {
  if (candidate?.stage.kind !== "prepared") return null;
  return { revision: candidate.revision, digest: candidate.digest };
}
