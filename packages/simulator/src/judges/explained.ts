import type { Evidence } from "../evidence/evidence.ts";
import type { RolloutEvidence } from "../evidence/rollout-evidence.ts";
import type { Fact } from "../fact.ts";
import type { JudgeMaker } from "./judge.ts";

/** Two beats: no step takes so long without anybody owing something. */
const silentAfterMs = 20_000;

/** Design section 3: a rollout always says why it waits. One that has no reason and does not move is stuck, or hides why. */
export const explained: JudgeMaker = () => {
  /** By rollout: its newest event, or since when the control plane has heard the fleet. */
  const moved = new Map<string, number>();
  return {
    name: "explained",
    rule: "section 3",
    observe(fact, { nowMs }, evidence) {
      note(moved, fact, nowMs);
      // Beats come all the time, whatever else does not.
      if (fact.kind !== "beat-heard") return null;
      const silent = wordless(evidence).find(({ id }) => isStuck(moved, id, nowMs));
      return silent ? `rollout ${silent.id} (${silent.status}) does not move, and does not say why` : null;
    },
  };
};

function note(moved: Map<string, number>, fact: Fact, nowMs: number): void {
  if (fact.kind === "listening" || fact.kind === "deaf") moved.clear();
  if (fact.kind === "event" && "rolloutId" in fact.event.body) moved.set(fact.event.body.rolloutId, nowMs);
}

function wordless(evidence: Evidence): readonly RolloutEvidence[] {
  return [...evidence.services.values()].flatMap(({ rollout }) =>
    rollout && !rollout.isFinished && rollout.reasons.length === 0 ? [rollout] : [],
  );
}

function isStuck(moved: Map<string, number>, id: string, nowMs: number): boolean {
  const sinceMs = moved.get(id) ?? nowMs;
  moved.set(id, sinceMs);
  return nowMs - sinceMs > silentAfterMs;
}
