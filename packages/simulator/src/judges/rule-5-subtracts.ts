import type { Member } from "@siding/shared/command";
import type { FactOf } from "../fact.ts";
import type { JudgeMaker } from "./judge.ts";

/**
 * Rule 5: an edge may subtract from the ledger's list, never add; and by its own ejections it leaves out at most half, so
 * that a list is never emptied. Lists that were said after a backup was taken the restored ledger can't know.
 */
export const subtracts: JudgeMaker = () => {
  const forgotten = new Set<number>();
  return {
    name: "subtracts",
    rule: "rule 5",
    observe(fact, _truth, evidence) {
      if (fact.kind === "ledger-restored") for (const revision of fact.forgotten) forgotten.add(revision);
      if (fact.kind !== "routed") return null;
      const said = evidence.services.get(fact.list.service)?.lists.get(fact.list.revision);
      if (said) return judged(fact, said);
      if (forgotten.has(fact.list.revision)) return null;
      return `edge ${fact.edgeId} routes by revision ${fact.list.revision}, which the ledger does not know`;
    },
  };
};

function judged({ edgeId, list }: FactOf<"routed">, said: readonly Member[]): string | null {
  const added = list.members.find(
    ({ hostId, targetId }) => !said.some((each) => each.hostId === hostId && each.targetId === targetId),
  );
  if (added) return `edge ${edgeId} routes to ${added.hostId}, which revision ${list.revision} does not list`;
  const left = said.length - list.members.length;
  if (left * 2 <= said.length) return null;
  return `edge ${edgeId} leaves out ${left} of the ${said.length} that revision ${list.revision} lists`;
}
