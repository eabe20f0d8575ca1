import type { EventBody } from "@siding/control-plane/ledger/event";
import type { HostId, ServiceName } from "@siding/shared/ids";
import type { Evidence } from "../evidence/evidence.ts";
import type { FactOf } from "../fact.ts";
import type { JudgeMaker } from "./judge.ts";

/** What has become of the hosts of a restart since it began, by the starts of the processes that they had. */
interface Restart {
  readonly service: ServiceName;
  readonly started: Set<HostId>;
  readonly stopped: Map<HostId, Set<number>>;
}

type Restarts = Map<string, Restart>;

/**
 * Rule 10, for restarts: one that has succeeded has given each of its hosts another process, and stopped on none more
 * than the one that it found.
 */
export const restarts: JudgeMaker = () => {
  const begun: Restarts = new Map();
  return {
    name: "restarts",
    rule: "rule 10",
    observe(fact, _, evidence) {
      if (fact.kind === "process-started") noteStart(begun, fact);
      if (fact.kind === "process-stopped") return stoppedTwice(begun, fact, evidence);
      if (fact.kind !== "event") return null;
      noteBeginning(begun, fact.event.body);
      return leftOut(begun, fact.event.body, evidence);
    },
  };
};

function noteStart(begun: Restarts, { hostId, process }: FactOf<"process-started">): void {
  for (const { service, started } of begun.values()) if (service === process.service) started.add(hostId);
}

function noteBeginning(begun: Restarts, body: EventBody): void {
  if (body.type !== "rollout-created" && body.type !== "rollout-started") return;
  const { id, service, purpose, status } = body.rollout;
  // One that a restored ledger begins once more has been carried out already, as the hosts know.
  if (purpose === "restart" && status !== "queued" && !begun.has(id)) {
    begun.set(id, { service, started: new Set(), stopped: new Map() });
  }
}

function stoppedTwice(
  begun: Restarts,
  { hostId, process }: FactOf<"process-stopped">,
  evidence: Evidence,
): string | null {
  for (const [id, { service, stopped }] of begun) {
    const running = evidence.services.get(service)?.rollout;
    const isMeant = running?.id === id && !running.isFinished && running.goals.has(hostId);
    if (service !== process.service || !isMeant) continue;
    const known = stopped.get(hostId) ?? new Set();
    stopped.set(hostId, known.add(process.startId));
    if (known.size > 1) return `restart ${id} stops ${hostId} a second time`;
  }
  return null;
}

function leftOut(begun: Restarts, body: EventBody, evidence: Evidence): string | null {
  if (body.type !== "rollout-finished" || body.status !== "succeeded") return null;
  const restart = begun.get(body.rolloutId);
  const rollout = evidence.rollouts.get(body.rolloutId);
  if (!restart || !rollout) return null;
  const { id, goals, failed, unreachable, givenUp } = rollout;
  const missing = [...goals.keys()].find(
    (hostId) =>
      !restart.started.has(hostId) && ![failed, unreachable, givenUp].some((excused) => excused.has(hostId)),
  );
  return missing === undefined ? null : `restart ${id} has succeeded, and ${missing} runs what it ran before`;
}
