import type { HostId, Version } from "@siding/shared/ids";
import type { Conduct } from "../box/conduct.ts";
import type { Scenario } from "./scenario.ts";

/** How the next process of a release behaves on a host. One that has died by itself once does not do it again. */
export function readyOrEnding(
  { releases }: Scenario,
  version: Version,
  hostId: HostId,
  diesNoMore: boolean,
): Conduct {
  const release = releases.find((each) => each.version === version);
  if (!release) throw new Error(`no release ${version} in the scenario`);
  const conduct = release.elsewhere.get(hostId) ?? release.conduct;
  if (conduct.kind === "dies" && diesNoMore) return { kind: "sound", startMs: conduct.startMs };
  return conduct;
}
