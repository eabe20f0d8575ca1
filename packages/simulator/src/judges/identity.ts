import type { HostId, Incarnation } from "@siding/shared/ids";
import type { Evidence } from "../evidence/evidence.ts";
import type { Fact } from "../fact.ts";
import type { JudgeMaker } from "./judge.ts";

/** So many beats in a row, of two that alternate, leave no doubt; one that ended and beats late makes two changes. */
const undoubted = 8;
/** Beats further apart than this do not alternate: the others were lost, or one of the two has gone. */
const forgottenAfterMs = 20_000;

/**
 * Design section 6: two incarnations of one identity alive at once are an identity conflict. Nothing is sent to that id,
 * and its membership does not change.
 */
export const identity: JudgeMaker = () => {
  const beats = new Map<HostId, Alternation>();
  return {
    name: "identity",
    rule: "section 6",
    observe(fact, truth, evidence) {
      if (fact.kind === "deaf") beats.clear();
      if (fact.kind === "beat-heard") hear(beats, fact, truth.nowMs);
      const isDouble = (hostId: HostId) => {
        const alternation = beats.get(hostId);
        return (
          alternation !== undefined &&
          alternation.changes >= undoubted &&
          truth.nowMs - alternation.lastMs <= forgottenAfterMs
        );
      };
      return disturbed(fact, evidence, isDouble);
    },
  };
};

interface Alternation {
  readonly newest: Incarnation;
  readonly other: Incarnation | null;
  readonly changes: number;
  /** When the one last took turns with the other. */
  readonly lastMs: number;
}

function hear(
  beats: Map<HostId, Alternation>,
  { hostId, incarnation }: Extract<Fact, { kind: "beat-heard" }>,
  nowMs: number,
): void {
  const before = beats.get(hostId);
  if (before?.newest === incarnation) return;
  const again = before?.other === incarnation && nowMs - before.lastMs <= forgottenAfterMs;
  beats.set(hostId, {
    newest: incarnation,
    other: before?.newest ?? null,
    changes: again ? before.changes + 1 : 0,
    lastMs: nowMs,
  });
}

function disturbed(fact: Fact, evidence: Evidence, isDouble: (hostId: HostId) => boolean): string | null {
  if (fact.kind === "published" && isDouble(fact.command.hostId)) {
    return `${fact.command.kind} is sent to ${fact.command.hostId}, which two agents claim to be`;
  }
  if (fact.kind !== "event" || fact.event.body.type !== "upstream-revised") return null;
  const { service, content } = fact.event.body;
  const before = evidence.services.get(service)?.wanted.members ?? [];
  const names = (members: readonly { hostId: HostId }[], hostId: HostId) =>
    members.some((member) => member.hostId === hostId);
  const changed = [...before, ...content.members]
    .map(({ hostId }) => hostId)
    .find((hostId) => isDouble(hostId) && names(before, hostId) !== names(content.members, hostId));
  return changed ? `the membership of ${changed} changes, which two agents claim to be` : null;
}
