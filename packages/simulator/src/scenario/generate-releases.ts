import type { HostId, Version } from "@siding/shared/ids";
import type { Conduct } from "../box/conduct.ts";
import type { Random } from "../random.ts";
import type { ReleasePlan } from "./scenario.ts";

export const versions = ["v1", "v2", "v3"] as readonly string[] as readonly Version[];

/** How each release behaves. Most are sound: a fleet on which nothing ever serves teaches little. */
export function releasesOf(
  random: Random,
  hosts: readonly HostId[],
  faults: boolean,
): readonly ReleasePlan[] {
  return versions.map((version, index) => {
    const startMs = random.spread(100, 5_000);
    const broken = faults && random.chance(index === 0 ? 0.05 : 0.15);
    const partly = faults && random.chance(index === 0 ? 0.1 : 0.3);
    const some = partly ? random.sample(hosts, random.int(1, Math.max(1, Math.floor(hosts.length / 3)))) : [];
    return {
      version,
      conduct: broken ? brokenConduct(random, startMs) : { kind: "sound", startMs },
      elsewhere: new Map(some.map((hostId) => [hostId, brokenConduct(random, startMs)])),
    };
  });
}

function brokenConduct(random: Random, startMs: number): Conduct {
  return random.pick<Conduct>([
    { kind: "never-healthy", answers: "500" },
    { kind: "never-healthy", answers: "nothing" },
    { kind: "exits", afterMs: random.spread(1, 500) },
    { kind: "dies", startMs, livesMs: random.spread(100, 90_000) },
    { kind: "loopback-only", startMs },
  ]);
}
