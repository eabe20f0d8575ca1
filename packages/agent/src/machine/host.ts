import { connectionsCounted } from "./drain.ts";
import type { Effect, FoundProcess, InstanceRef } from "./effect.ts";
import type { FoundRelease, HostEvent } from "./event.ts";
import { askAnew } from "./health.ts";
import { hookEnded } from "./hook.ts";
import { carryOn, newInstance } from "./instance.ts";
import { instanceRefKey, type Moment, withJournal } from "./move.ts";
import { processExited, processStarted, processStopped } from "./process.ts";
import { prune } from "./retention.ts";
import { staged } from "./stage.ts";
import type { Instance, MachineState } from "./state.ts";

interface HostMove {
  readonly state: MachineState;
  readonly effects: readonly Effect[];
}

type Adopted = Extract<HostEvent, { kind: "adopted" }>;

/** What happened to one instance of this host. Of an instance that nobody knows nothing is asked, so nothing comes. */
export function hostHappened(
  state: MachineState,
  event: Exclude<HostEvent, Adopted>,
  nowMs: number,
): HostMove {
  const key = instanceRefKey(event);
  const before = state.instances.get(key);
  if (before === undefined) return { state, effects: [] };
  const instance = changed(before, event, { nowMs, agent: state.agent });
  const instances = new Map(state.instances).set(key, instance);
  const grown = instance.journal.staged !== before.journal.staged;
  return {
    state: { ...state, instances },
    effects: grown ? [prune(instances.values(), event.service)] : [],
  };
}

function changed(instance: Instance, event: Exclude<HostEvent, Adopted>, moment: Moment): Instance {
  switch (event.kind) {
    case "staged":
      return staged(instance, event.op, event.result, moment.nowMs);
    case "connections-counted":
      return connectionsCounted(instance, event.op, event.result, moment);
    case "process-started":
      return processStarted(instance, event.op, event.result, moment);
    case "process-stopped":
      return processStopped(instance, event.op, event.result, moment);
    case "hook-ended":
      return hookEnded(instance, event.op, event.result, moment.nowMs);
    case "process-exited":
      return processExited(instance, event.startId, event.exit, moment.nowMs);
  }
}

/** What is due on each instance. */
export function carryOnInstances(state: MachineState, nowMs: number): HostMove {
  if (state.instances.size === 0) return { state, effects: [] };
  const effects: Effect[] = [];
  const instances = new Map<string, Instance>();
  for (const [key, instance] of state.instances) {
    const move = carryOn(instance, { nowMs, agent: state.agent });
    instances.set(key, move.instance);
    effects.push(...move.effects);
  }
  return { state: { ...state, instances }, effects };
}

/** Joins what the journal says with what runs and lies on this machine: for these two the machine is right. */
export function adopted(state: MachineState, { processes, releases }: Adopted, nowMs: number): MachineState {
  const found = newestStarts(processes);
  const refs: InstanceRef[] = [...state.instances.values()].map(({ journal }) => journal);
  const keys = new Map([...refs, ...processes].map((ref) => [instanceRefKey(ref), ref]));
  const instances = [...keys].map(([key, { service, slot }]) => {
    const known = state.instances.get(key) ?? newInstance(service, slot, nowMs);
    return [key, foundAgain(onlyUnpacked(known, releases), found.get(key), nowMs)] as const;
  });
  return { ...state, instances: new Map(instances) };
}

function foundAgain(instance: Instance, found: FoundProcess | undefined, nowMs: number): Instance {
  const { journal, supervision } = instance;
  if (found === undefined) {
    const begun = journal.wanted !== null && journal.wanted.startId !== null;
    return { ...instance, supervision: { ...supervision, recovering: begun } };
  }
  const { startId, targetId, process } = found;
  const starts = Math.max(journal.starts, startId);
  const running: Instance = {
    ...(starts === journal.starts ? instance : withJournal(instance, { starts })),
    process: { kind: "running", startId, targetId, process, sinceMs: nowMs },
  };
  return askAnew(running, nowMs);
}

function onlyUnpacked(instance: Instance, releases: readonly FoundRelease[]): Instance {
  const { service, staged: before } = instance.journal;
  const there = new Set(releases.map((each) => `${each.service} ${each.version} ${each.digest}`));
  const left = before.filter(({ release }) => there.has(`${service} ${release.version} ${release.digest}`));
  return left.length === before.length ? instance : withJournal(instance, { staged: left });
}

function newestStarts(processes: readonly FoundProcess[]): ReadonlyMap<string, FoundProcess> {
  const sorted = processes.toSorted((left, right) => left.startId - right.startId);
  return new Map(sorted.map((each) => [instanceRefKey(each), each]));
}
