import type { JudgeMaker } from "./judge.ts";

/** Rule 8: a hand drain is a hold, and no rollout undoes it; whom a person holds is in no batch of a person either. */
export const holds: JudgeMaker = () => ({
  name: "holds",
  rule: "rule 8",
  observe(fact, _truth, evidence) {
    if (fact.kind !== "event") return null;
    const { body } = fact.event;
    const service = evidence.serviceOf(body);
    if (!service) return null;
    if (body.type === "upstream-revised") {
      const undone = body.content.members.find(
        ({ hostId }) => service.hold(hostId) !== null && !service.isListed(hostId),
      );
      return undone
        ? `${undone.hostId} comes into traffic, and it is ${service.hold(undone.hostId)} by hand`
        : null;
    }
    if (body.type !== "batch-started") return null;
    const goals = service.rollout?.goals;
    const taken = body.hosts.find((hostId) => service.hold(hostId) !== null && goals?.get(hostId));
    return taken ? `${taken} is updated, and it is ${service.hold(taken)} by hand` : null;
  },
});
