import type { LedgerEvent } from "@siding/control-plane/ledger/event";
import type { HostId } from "@siding/shared/ids";
import type { ServiceEvidence } from "../evidence/service-evidence.ts";
import type { Truth } from "../truth.ts";
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
    const service = evidence.serviceOf(body);
    return service && judged(body, service, truth);
  },
});

const stops: ReadonlySet<string> = new Set(["drain", "update", "revert", "restart"]);

function judged(body: LedgerEvent["body"], service: ServiceEvidence, truth: Truth): string | null {
  if (body.type === "command-issued" && stops.has(body.body.kind)) {
    const edgeId = stillRouting(body.hostId, truth, service);
    return edgeId ? `${body.hostId} is told to ${body.body.kind} while edge ${edgeId} routes to it` : null;
  }
  if (body.type !== "batch-started") return null;
  const leaves = body.hosts.filter((hostId) => service.isListed(hostId));
  if (leaves.length === 0) return null;
  const missing = notYetIn(truth, service);
  return missing ? `${leaves.join(", ")} leave while ${missing}` : null;
}

function stillRouting(hostId: HostId, truth: Truth, service: ServiceEvidence): HostId | undefined {
  return service
    .countedEdges()
    .find((edgeId) =>
      truth
        .listsOf(edgeId, service.name)
        .some(({ members }) => members.some((each) => each.hostId === hostId)),
    );
}

/** An edge whose nginx is down routes to nobody, and takes nobody's place. */
function notYetIn(truth: Truth, service: ServiceEvidence): string | null {
  for (const edgeId of service.countedEdges()) {
    // Whom an edge has ejected it leaves out of a list that names it, also of one that a restored ledger never said.
    const { ejected, confirmed } = service.edge(edgeId);
    // A list that differs by that alone from what is routed is confirmed without a reload: its number is not the routed one.
    const leftOut = ejected.filter(({ hostId }) =>
      service.lists.get(confirmed)?.some((each) => each.hostId === hostId),
    );
    const lists = truth.listsOf(edgeId, service.name).map((list) => {
      const said = service.lists.get(list.revision);
      return said ? [...said, ...leftOut] : [...list.members, ...ejected];
    });
    for (const { hostId } of service.wanted.members) {
      const missing = lists.some((members) => !members.some((each) => each.hostId === hostId));
      if (missing) return `workers of edge ${edgeId} do not route to ${hostId} yet, which is listed`;
    }
  }
  return null;
}
