import { ServiceName, Slot, TargetId } from "@siding/shared/ids";
import type { FoundProcess, InstanceRef } from "../../machine/effect.ts";
import { allPids, environOf, isSessionLeader, parseRef, refOfPid } from "./proc.ts";

/** How a process says in its environment whose and which it is; its children inherit that. */
const ownerVariable = "SIDING_AGENT";
const instanceVariable = "SIDING_INSTANCE";

/** In the place of the start: a health command is none. */
const checkWord = "check";

type Mark = Pick<FoundProcess, "service" | "slot" | "targetId" | "startId">;

/** @param owner the agent's data folder: no two agents have the same */
export function markerOf(owner: string, mark: Mark): Record<string, string> {
  return { [ownerVariable]: owner, [instanceVariable]: textOf(mark) };
}

/** @param owner the agent's data folder */
export function checkMarkerOf(owner: string, instance: InstanceRef): Record<string, string> {
  return { [ownerVariable]: owner, [instanceVariable]: checkTextOf(instance) };
}

/** Health commands, and what they have started, of an instance or (null) of all. */
export function leftByChecks(owner: string, instance: InstanceRef | null): number[] {
  const isLeft = (text: string) =>
    instance === null ? text.endsWith(`/${checkWord}`) : text === checkTextOf(instance);
  return ownedPids(owner).flatMap(({ pid, instance: text }) => (isLeft(text) ? [pid] : []));
}

function checkTextOf({ service, slot }: InstanceRef): string {
  return `${service}/${slot}/${checkWord}`;
}

/** `web/blue`: which service of an agent's a process belongs to; null where it bears no mark. */
export function markedInstanceOf(pid: number): string | null {
  const mark = parseMark(environOf(pid)?.get(instanceVariable) ?? "");
  return mark === null ? null : `${mark.service}/${mark.slot}`;
}

/** Whether a process is this agent's: its pid may have been given to somebody else. */
export function isOwned(owner: string, pid: number): boolean {
  return environOf(pid)?.get(ownerVariable) === owner;
}

/**
 * This agent's processes that it started itself, not those that they started. Both bear the mark, and either may lead
 * a session; a start that was confirmed is known by its process, and of any other the oldest is the one.
 */
export function markedLeaders(owner: string, known: readonly FoundProcess[]): FoundProcess[] {
  const confirmed = new Map(known.map((each) => [textOf(each), each.process]));
  const leaders = new Map<string, FoundProcess>();
  for (const leader of sessionLeaders(owner)) {
    const text = textOf(leader);
    const isConfirmed = confirmed.get(text) === leader.process;
    if (isConfirmed || (!confirmed.has(text) && isOlder(leader, leaders.get(text))))
      leaders.set(text, leader);
  }
  return [...leaders.values()];
}

function sessionLeaders(owner: string): FoundProcess[] {
  return marked(owner).flatMap(({ pid, mark }) => {
    const process = isSessionLeader(pid) ? refOfPid(pid) : null;
    return process === null ? [] : [{ ...mark, process }];
  });
}

function isOlder(one: FoundProcess, other: FoundProcess | undefined): boolean {
  const ticks = (each: FoundProcess) => Number(parseRef(each.process)?.startTicks);
  return other === undefined || ticks(one) < ticks(other);
}

/** Every process that bears this mark: the one that was started, and what it has started. */
export function bearersOf(owner: string, mark: Mark): number[] {
  const text = textOf(mark);
  return ownedPids(owner)
    .filter(({ instance }) => instance === text)
    .map(({ pid }) => pid);
}

/** Marked processes whose leader is gone: they would hold its port, and nobody would ever stop them. */
export function straysOf(owner: string, leaders: readonly Mark[]): number[] {
  const led = new Set(leaders.map(textOf));
  return ownedPids(owner)
    .filter(({ instance }) => !led.has(instance))
    .map(({ pid }) => pid);
}

function marked(owner: string): { pid: number; mark: Mark }[] {
  return ownedPids(owner).flatMap(({ pid, instance }) => {
    const mark = parseMark(instance);
    return mark === null ? [] : [{ pid, mark }];
  });
}

function ownedPids(owner: string): { pid: number; instance: string }[] {
  return allPids().flatMap((pid) => {
    const environ = environOf(pid);
    const instance = environ?.get(instanceVariable);
    return environ?.get(ownerVariable) === owner && instance !== undefined ? [{ pid, instance }] : [];
  });
}

function textOf({ service, slot, targetId, startId }: Mark): string {
  return `${service}/${slot}/${targetId}/${startId}`;
}

function parseMark(text: string): Mark | null {
  const [service, slot, targetId, startId, ...rest] = text.split("/");
  const parsed = {
    service: ServiceName.safeParse(service),
    slot: Slot.safeParse(slot),
    targetId: TargetId.safeParse(targetId),
  };
  if (!parsed.service.success || !parsed.slot.success || !parsed.targetId.success) return null;
  if (rest.length > 0 || startId === undefined || !/^\d{1,15}$/.test(startId)) return null;
  return {
    service: parsed.service.data,
    slot: parsed.slot.data,
    targetId: parsed.targetId.data,
    startId: Number(startId),
  };
}
