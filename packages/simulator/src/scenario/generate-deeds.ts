import type { Random } from "../random.ts";
import type { DeedKind, Deeds } from "./deed.ts";
import type { Scenario } from "./scenario.ts";

/** What may be done to a host by hand, in this order. Some come back, some do not. */
const hostCourses: readonly (readonly DeedKind[])[] = [
  ["drain", "rejoin"],
  ["drain", "rejoin"],
  ["drain"],
  ["drain", "switch-off", "switch-on", "rejoin"],
  ["remove"],
  ["remove", "scrap"],
  ["remove", "rejoin"],
];

/** Most maintenance takes some minutes. */
const shortestMs = 3_000;
const longestMs = 120_000;

/** What a person does to a few machines by hand. The first edge is always left in. */
export function deedsOf(
  random: Random,
  { hosts, edges, healAtMs }: Pick<Scenario, "hosts" | "edges" | "healAtMs">,
): readonly Deeds[] {
  if (!random.chance(0.5)) return [];
  const few = random.int(0, Math.max(1, Math.floor(hosts.length / 4)));
  const handled = random.sample(hosts, few).map(({ hostId }) => ({
    hostId,
    steps: timed(random, random.pick(hostCourses), healAtMs),
  }));
  const [, second] = edges;
  const courses = [["exclude", "include"], ["exclude", "include", "exclude"], ["exclude"]] as const;
  const excluded =
    second && random.chance(0.4)
      ? [{ hostId: second.hostId, steps: timed(random, random.pick(courses), healAtMs) }]
      : [];
  return [...handled, ...excluded];
}

function timed(random: Random, course: readonly DeedKind[], healAtMs: number): Deeds["steps"] {
  let atMs = random.int(5_000, healAtMs);
  return course.map((kind) => {
    const step = { atMs, kind };
    atMs += random.spread(shortestMs, longestMs);
    return step;
  });
}
