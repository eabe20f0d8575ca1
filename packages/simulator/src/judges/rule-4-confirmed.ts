import type { HostId } from "@siding/shared/ids";
import type { Truth } from "../truth.ts";
import type { Evidence } from "./evidence.ts";
import type { JudgeMaker } from "./judge.ts";

/**
 * Rule 4: a host is drained and stopped only when no counted edge routes to it, and the next batch leaves only when every
 * counted edge routes to those that came in.
 */
export const confirmed: JudgeMaker = () => ({
  name: "confirmed",
  rule: "rule 4",
  observe(fact, truth, evidence) {
    if (fact.kind !== "event") return null;
    const { body } = fact.event;
    if (body.type === "command-issued" && ["drain", "update", "revert", "restart"].includes(body.body.kind)) {
      const edgeId = stillRouting(body.hostId, truth, evidence);
      return edgeId ? `${body.hostId} is told to ${body.body.kind} while edge ${edgeId} routes to it` : null;
    }
    if (body.type !== "batch-started") return null;
    const leaves = body.hosts.filter((hostId) => evidence.isListed(hostId));
    if (leaves.length === 0) return null;
    const missing = notYetIn(truth, evidence);
    return missing ? `${leaves.join(", ")} leave while ${missing}` : null;
  },
});

function stillRouting(hostId: HostId, truth: Truth, evidence: Evidence): HostId | undefined {
  return evidence
    .countedEdges()
    .find((edgeId) =>
      truth.listsOf(edgeId).some(({ members }) => members.some((each) => each.hostId === hostId)),
    );
}

/** An edge whose nginx is down routes to nobody, and takes nobody's place. */
function notYetIn(truth: Truth, evidence: Evidence): string | null {
  for (const edgeId of evidence.countedEdges()) {
    // Whom an edge has ejected it leaves out of a list that names it.
    const lists = truth.listsOf(edgeId).map((list) => evidence.lists.get(list.revision) ?? list.members);
    for (const { hostId } of evidence.wanted.members) {
      const missing = lists.some((members) => !members.some((each) => each.hostId === hostId));
      if (missing) return `workers of edge ${edgeId} do not route to ${hostId} yet, which is listed`;
    }
  }
  return null;
}
