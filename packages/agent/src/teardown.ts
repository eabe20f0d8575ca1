import type { FoundProcess } from "./machine/effect.ts";
import type { Journal } from "./machine/journal.ts";
import type { Driver } from "./ports/driver.ts";

/** For a process of which the journal knows nothing. */
const unknownGraceMs = 20_000;

/** Stops every service that this agent runs, all at once. Returns what would not end. */
export async function stopServices(driver: Driver, journal: Journal | null): Promise<string[]> {
  const instances = journal?.instances ?? [];
  const known = instances.flatMap(({ service, slot, started }): FoundProcess[] => {
    if (started === null || started.process === null) return [];
    const { startId, target, process } = started;
    return [{ service, slot, startId, targetId: target.id, process }];
  });
  const graces = new Map(
    instances.map(({ service, slot, started }) => [
      `${service}/${slot}`,
      started?.target.spec.run.stopGraceMs,
    ]),
  );
  const found = await driver.find(known);
  const ends = await Promise.all(
    found.map(async ({ service, slot, process }) => {
      const key = `${service}/${slot}`;
      const stopped = await driver.stop(process, graces.get(key) ?? unknownGraceMs);
      return stopped.ok ? [] : [`${key}: ${stopped.error.message}`];
    }),
  );
  return ends.flat();
}
