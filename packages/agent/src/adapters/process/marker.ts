import { ServiceName, Slot, TargetId } from "@siding/shared/ids";
import type { FoundProcess } from "../../machine/effect.ts";
import { allPids, environOf, isSessionLeader, refOfPid } from "./proc.ts";

/** How a process says in its environment whose and which it is; its children inherit that. */
const ownerVariable = "SIDING_AGENT";
const instanceVariable = "SIDING_INSTANCE";

type Mark = Pick<FoundProcess, "service" | "slot" | "targetId" | "startId">;

/** @param owner the agent's data folder: no two agents have the same */
export function markerOf(owner: string, { service, slot, targetId, startId }: Mark): Record<string, string> {
  return { [ownerVariable]: owner, [instanceVariable]: `${service}/${slot}/${targetId}/${startId}` };
}

/** The leaders among this agent's marked processes: those that it started, not those that they started. */
export function markedLeaders(owner: string): FoundProcess[] {
  return marked(owner).flatMap(({ pid, mark }) => {
    const process = isSessionLeader(pid) ? refOfPid(pid) : null;
    return process === null ? [] : [{ ...mark, process }];
  });
}

/** Every process that bears the same mark as this one, itself included. */
export function relativesOf(owner: string, pid: number): number[] {
  const instance = environOf(pid)?.get(instanceVariable);
  if (instance === undefined) return [];
  return ownedPids(owner)
    .filter((each) => each.instance === instance)
    .map((each) => each.pid);
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
