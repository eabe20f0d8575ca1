import type { FactOf } from "../fact.ts";
import type { JudgeMaker } from "./judge.ts";

/**
 * Rule 10, for the user's own programs: no run of a hook is begun a second time, on whatever host and by whatever command,
 * but one that may be; and no host has two of one service at once.
 */
export const hooksOnce: JudgeMaker = () => {
  const begun = new Map<string, FactOf<"hook-begun">>();
  return {
    name: "hooks-once",
    rule: "rule 10",
    observe(fact) {
      if (fact.kind !== "hook-begun") return null;
      const before = begun.get(fact.runId);
      begun.set(fact.runId, fact);
      if (!fact.isAlone) return `${fact.hostId} begins hook ${fact.runId} beside another`;
      if (before === undefined || fact.idempotent) return null;
      return `${fact.hostId} begins hook ${fact.runId}, which ${before.hostId} has begun before`;
    },
  };
};
