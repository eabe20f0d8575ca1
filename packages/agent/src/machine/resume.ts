import type { Incarnation } from "@siding/shared/ids";
import { attempt } from "./edge.ts";
import type { Effect, FoundProcess } from "./effect.ts";
import { asleep } from "./instance.ts";
import type { AcceptedCommand, InstanceJournal, Journal } from "./journal.ts";
import { instanceRefKey } from "./move.ts";
import type { AgentIdentity, MachineState } from "./state.ts";
import { carryOnAll, type Step } from "./step.ts";
import { unconfirmed } from "./upstream.ts";

/** A start of the agent: the first one has an empty journal. */
export interface Awakening {
  readonly agent: AgentIdentity;
  readonly journal: Journal;
  /** Random, of this start. */
  readonly incarnation: Incarnation;
  /** Names the boot of this machine, and with it the clock that `nowMs` is on. */
  readonly bootId: string;
}

/**
 * The first step of an agent. It knows what it promised and asks what became of it; commands in hand go on when that
 * is answered. Their time ran on while the agent was dead; after a boot it is counted anew, once.
 */
export function resume({ agent, journal, incarnation, bootId }: Awakening, nowMs: number): Step {
  const booted = journal.bootId !== bootId;
  const instances = journal.instances.map((each) => (booted ? onNewClock(each, nowMs) : each));
  const isHost = agent.roles.includes("host");
  const isEdge = agent.roles.includes("edge");
  const upstreams = new Map(journal.upstreams.map((each) => [each.upstream, unconfirmed(each, nowMs)]));
  const firstTry = isEdge ? attempt("find", 1, upstreams) : null;
  const state: MachineState = {
    agent,
    incarnation,
    // Only a host's commands have times. What an edge alone need not write down, no full disk keeps it from serving.
    bootId: isHost ? bootId : journal.bootId,
    controlPlane: journal.controlPlane,
    readiness: { kind: "waiting", forProcesses: isHost, forEdge: isEdge },
    link: { kind: "down" },
    instances: new Map(instances.map((each) => [instanceRefKey(each), asleep(each, nowMs)])),
    upstreams,
    edge: firstTry?.edge ?? { kind: "absent" },
    said: { sequence: 0, instances: new Map(), upstreams: new Map() },
  };
  const known = journal.instances.flatMap(lastSeen);
  const effects: Effect[] = [
    ...(isHost ? [{ kind: "adopt", op: "adopt", known } as const] : []),
    ...(firstTry === null ? [] : [firstTry.effect]),
  ];
  const before = { ...state, bootId: journal.bootId };
  return carryOnAll(before, { state, effects, refusal: null, say: { kind: "changes" } }, nowMs);
}

function onNewClock(journal: InstanceJournal, nowMs: number): InstanceJournal {
  const { command } = journal;
  return command === null ? journal : { ...journal, command: recounted(command, nowMs) };
}

function recounted(command: AcceptedCommand, nowMs: number): AcceptedCommand {
  if (command.outcome.kind !== "running") return command;
  const acceptedAtMs = command.recounted ? nowMs - command.deadlineMs : nowMs;
  const begunAtMs = command.begunAtMs === null ? null : acceptedAtMs;
  return { ...command, acceptedAtMs, begunAtMs, recounted: true };
}

/** The process of the newest start, where it was confirmed. */
function lastSeen({ service, slot, started }: InstanceJournal): FoundProcess[] {
  if (started === null || started.process === null) return [];
  const { startId, target, process } = started;
  return [{ service, slot, targetId: target.id, startId, process }];
}
