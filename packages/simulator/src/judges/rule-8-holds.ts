import type { Member } from "@siding/shared/command";
import type { HostId } from "@siding/shared/ids";
import type { ServiceEvidence } from "../evidence/service-evidence.ts";
import type { Truth } from "../truth.ts";
import type { JudgeMaker } from "./judge.ts";

/** In traffic already, by a list that a restored ledger says anew: the reconciler takes it out. */
function isRouted(truth: Truth, { name }: ServiceEvidence, hostId: HostId): boolean {
  return truth
    .edgeIds()
    .some((edgeId) =>
      truth.listsOf(edgeId, name).some(({ members }) => members.some((each) => each.hostId === hostId)),
    );
}

/** Rule 8: a hand drain is a hold, and no rollout undoes it; whom a person holds is in no batch of a person either. */
export const holds: JudgeMaker = () => {
  let isRestored = false;
  return {
    name: "holds",
    rule: "rule 8",
    observe(fact, truth, evidence) {
      if (fact.kind === "ledger-restored") isRestored = true;
      if (fact.kind !== "event") return null;
      const { body } = fact.event;
      const service = evidence.serviceOf(body);
      if (!service) return null;
      if (body.type === "batch-started") return updated(body.hosts, service);
      if (body.type !== "upstream-revised") return null;
      const { members } = body.content;
      const joining = members.filter(({ hostId }) => !service.isListed(hostId));
      return joined(
        joining.filter(({ hostId }) => !isRestored || !isRouted(truth, service, hostId)),
        service,
      );
    },
  };
};

function joined(members: readonly Member[], service: ServiceEvidence): string | null {
  const undone = members.find(({ hostId }) => service.hold(hostId) !== null);
  return undone
    ? `${undone.hostId} comes into traffic, and it is ${service.hold(undone.hostId)} by hand`
    : null;
}

function updated(hosts: readonly HostId[], service: ServiceEvidence): string | null {
  const goals = service.rollout?.goals;
  const taken = hosts.find((hostId) => service.hold(hostId) !== null && goals?.get(hostId));
  return taken ? `${taken} is updated, and it is ${service.hold(taken)} by hand` : null;
}
